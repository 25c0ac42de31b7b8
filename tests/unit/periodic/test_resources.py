"""The audit runs each minute, or as often as the option says, and never when that is negative."""

from types import SimpleNamespace

import pytest

from computed.periodic.resources import TASK
from computed.periodic.table import TASKS


@pytest.mark.parametrize(("option", "seconds"), [(0, 60.0), (15, 15.0), (-1, None)])
def test_how_often(option, seconds):
    assert TASK.spacing(SimpleNamespace(update_resources_interval=option)) == seconds


def test_it_is_in_the_table_and_audits_without_the_startup_flag():
    audits = []

    def audit(context, **flags):
        audits.append((context, flags))

    tracker = SimpleNamespace(update_available_resource=audit)
    (task,) = [task for task in TASKS if task.name == "update_available_resource"]
    task.run(SimpleNamespace(tracker=tracker), "context")
    assert audits == [("context", {})]
    assert not task.run_immediately
