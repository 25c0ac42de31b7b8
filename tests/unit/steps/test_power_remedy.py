"""What is done when record and guest disagree about the power."""

from types import SimpleNamespace

import pytest

from computed.states import PowerState
from computed.steps.power_sync import Remedy, differs, remedy

NO, RUN, PAUSED, OFF, CRASHED, SUSPENDED = PowerState


@pytest.mark.parametrize(
    ("vm_state", "guest", "expected"),
    [
        ("active", RUN, Remedy.NOTHING),
        ("active", OFF, Remedy.STOP),
        ("active", CRASHED, Remedy.STOP),
        ("active", SUSPENDED, Remedy.STOP),
        ("active", PAUSED, Remedy.REPORT),
        ("active", NO, Remedy.REPORT),
        ("stopped", OFF, Remedy.NOTHING),
        ("stopped", NO, Remedy.NOTHING),
        ("stopped", CRASHED, Remedy.NOTHING),
        ("stopped", RUN, Remedy.STOP),
        ("stopped", PAUSED, Remedy.STOP),
        ("paused", PAUSED, Remedy.NOTHING),
        ("paused", OFF, Remedy.STOP),
        ("paused", CRASHED, Remedy.STOP),
        ("paused", RUN, Remedy.NOTHING),
        ("soft-delete", OFF, Remedy.NOTHING),
        ("soft-delete", RUN, Remedy.REPORT),
        ("deleted", RUN, Remedy.REPORT),
        *((state, OFF, Remedy.NOTHING) for state in ("building", "rescued", "resized", "suspended", "error")),
    ],
)
def test_remedy(vm_state, guest, expected):
    assert remedy(vm_state, guest) is expected


@pytest.mark.parametrize(
    ("vm_state", "recorded", "guest", "expected"),
    [
        ("active", RUN, RUN, False),
        ("active", RUN, OFF, True),
        ("active", OFF, OFF, True),
        ("error", RUN, OFF, True),
        ("error", OFF, OFF, False),
        ("active", NO, NO, False),
    ],
)
def test_only_differences_are_worth_a_second_look(vm_state, recorded, guest, expected):
    assert differs(SimpleNamespace(vm_state=vm_state, power_state=recorded), guest) is expected
