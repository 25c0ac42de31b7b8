"""The recovery table, row by row."""

import pytest

from computed.states import PowerState, TaskState, VmState
from computed.steps.recovery_plan import Action, Found, plan

RUN, OFF, NO = PowerState.RUNNING, PowerState.SHUTDOWN, PowerState.NOSTATE
ROWS = [
    # vm state, task state, guest, what is done
    ("active", None, RUN, Action.LEAVE),
    ("active", None, OFF, Action.LEAVE),
    ("stopped", None, OFF, Action.LEAVE),
    ("paused", None, PowerState.PAUSED, Action.LEAVE),
    ("building", None, NO, Action.FAIL_BUILD),
    ("building", "networking", NO, Action.FAIL_BUILD),
    ("building", "block_device_mapping", NO, Action.FAIL_BUILD),
    ("building", "spawning", NO, Action.FAIL_BUILD),
    ("building", "spawning", RUN, Action.FAIL_BUILD),
    ("shelved_offloaded", "spawning", NO, Action.FAIL_BUILD),
    ("building", "deleting", NO, Action.DELETE),
    ("active", "deleting", RUN, Action.DELETE),
    ("error", "deleting", NO, Action.DELETE),
    ("soft-delete", "deleting", OFF, Action.LEAVE),
    ("soft-delete", None, OFF, Action.LEAVE),
    ("deleted", None, NO, Action.FINISH_DELETED),
    ("deleted", "deleting", NO, Action.FINISH_DELETED),
    ("error", None, RUN, Action.LEAVE),
    ("error", "spawning", NO, Action.LEAVE),
    ("error", "resize_migrating", OFF, Action.CLEAR_TASK),
    ("active", "rebuilding", NO, Action.FAIL_REBUILD),
    ("stopped", "rebuild_spawning", NO, Action.FAIL_REBUILD),
    ("active", "rebuild_block_device_mapping", NO, Action.FAIL_REBUILD),
    ("active", "powering-off", RUN, Action.STOP),
    ("active", "powering-off", OFF, Action.STOP),
    ("stopped", "powering-on", OFF, Action.START),
    ("stopped", "powering-on", RUN, Action.START),
    ("active", "reboot_pending", RUN, Action.REBOOT_SOFT),
    ("active", "reboot_pending", OFF, Action.REBOOT_HARD),
    ("active", "reboot_pending_hard", RUN, Action.REBOOT_HARD),
    ("stopped", "reboot_pending_hard", OFF, Action.REBOOT_HARD),
    ("active", "reboot_started", RUN, Action.SETTLE_ACTIVE),
    ("active", "reboot_started", OFF, Action.REBOOT_HARD),
    ("active", "reboot_started_hard", RUN, Action.SETTLE_ACTIVE),
    ("active", "reboot_started_hard", NO, Action.REBOOT_HARD),
    ("active", "rebooting", RUN, Action.SETTLE_ACTIVE),
    ("active", "rebooting", OFF, Action.REBOOT_HARD),
    ("active", "rebooting_hard", RUN, Action.SETTLE_ACTIVE),
    ("active", "rebooting_hard", OFF, Action.REBOOT_HARD),
    ("active", "pausing", RUN, Action.SETTLE_ACTIVE),
    ("paused", "unpausing", RUN, Action.SETTLE_ACTIVE),
    ("paused", "unpausing", PowerState.PAUSED, Action.CLEAR_TASK),
    ("active", "image_snapshot", RUN, Action.CLEAR_TASK),
    ("active", "image_snapshot_pending", RUN, Action.CLEAR_TASK),
    ("active", "image_pending_upload", RUN, Action.CLEAR_TASK),
    ("active", "image_uploading", RUN, Action.CLEAR_TASK),
    ("active", "resize_prep", RUN, Action.CLEAR_TASK),
    ("active", "resize_migrating", OFF, Action.CLEAR_TASK),
    ("active", "migrating", RUN, Action.END_LIVE_MIGRATION),
    ("active", "suspending", RUN, Action.CLEAR_TASK),
    ("active", "shelving", RUN, Action.CLEAR_TASK),
    ("active", "updating_password", RUN, Action.CLEAR_TASK),
    ("active", "resize_migrated", OFF, Action.LEAVE),
    ("active", "resize_finish", OFF, Action.LEAVE),
    ("resized", "resize_reverting", RUN, Action.LEAVE),
]


@pytest.mark.parametrize(("vm_state", "task_state", "guest", "action"), ROWS)
def test_row(vm_state, task_state, guest, action):
    assert plan(Found(vm_state, task_state, guest, guest)) == (action,)


@pytest.mark.parametrize("task_state", ["suspending", "shelving", "resuming", "soft-deleting"])
def test_an_order_that_is_still_in_the_queue_is_left_to_it(task_state):
    found = Found("active", task_state, RUN, RUN, was_interrupted=False)
    assert plan(found) == (Action.LEAVE,)


@pytest.mark.parametrize("task_state", ["powering-off", "powering-on", "reboot_started", "suspending"])
def test_a_guest_whose_state_is_not_known_is_left_alone(task_state):
    assert plan(Found("active", task_state, RUN, None)) == (Action.LEAVE,)


@pytest.mark.parametrize(
    ("recorded", "guest", "may_resume", "actions"),
    [
        (RUN, OFF, True, (Action.RESUME,)),
        (RUN, NO, True, (Action.RESUME,)),
        (RUN, OFF, False, (Action.LEAVE,)),
        (OFF, OFF, True, (Action.LEAVE,)),
        (RUN, RUN, True, (Action.LEAVE,)),
        (RUN, None, True, (Action.LEAVE,)),
    ],
)
def test_guests_that_ran_when_the_host_went_down(recorded, guest, may_resume, actions):
    assert plan(Found("active", None, recorded, guest, may_resume=may_resume)) == actions


def test_a_snapshot_is_given_up_before_the_guest_is_resumed():
    found = Found("active", "image_uploading", RUN, OFF, may_resume=True)
    assert plan(found) == (Action.CLEAR_TASK, Action.RESUME)


@pytest.mark.parametrize("vm_state", list(VmState))
@pytest.mark.parametrize("task_state", [None, *TaskState])
@pytest.mark.parametrize("guest", [None, *PowerState])
def test_every_state_has_a_plan(vm_state, task_state, guest):
    actions = plan(Found(vm_state, task_state, RUN, guest, may_resume=True))
    assert actions
    assert Action.LEAVE not in actions[1:]
