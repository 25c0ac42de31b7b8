"""The table of periodic tasks against the recorded one: names, order, periods."""

import json
from pathlib import Path

import pytest
from oslo_config import cfg

from computed.conf import register_all
from computed.periodic.table import TASKS

FACTS = json.loads((Path(__file__).parent / "periodic_tasks.json").read_text())


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    register_all(conf)
    conf([], project="nova", default_config_files=[], default_config_dirs=[])
    return conf


def test_known_names_each_once():
    names = [task.name for task in TASKS]
    assert len(set(names)) == len(names)
    assert set(names) <= set(FACTS["tasks"])


def test_order():
    names = [task.name for task in TASKS]
    # The healer is off by default and has no place in the recorded order.
    recorded = [name for name in FACTS["run_order"] if name in names]
    assert [name for name in names if name in recorded] == recorded


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_period(task, conf):
    fact = FACTS["tasks"][task.name]
    assert task.spacing(conf) == fact["effective_default_spacing_seconds"]
    assert task.run_immediately == fact["run_immediately"]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_what_zero_and_less_mean(task, conf):
    fact = FACTS["tasks"][task.name]
    if fact["spacing_option"] is None:
        return
    group, _, option = fact["spacing_option"].rpartition(".")
    conf.set_override(option, 0, group or None)
    assert task.spacing(conf) == (60.0 if fact["zero_spacing_means"] == "default interval" else None)
    conf.set_override(option, -1, group or None)
    assert task.spacing(conf) is None
