"""The table of the restart, row by row."""

import itertools

import pytest

from computed.operations.recover.table import ROWS, Remedy, decide, settled
from computed.states import PowerState, TaskState, VmState

GUESTS = (None, *PowerState)
TASKS = (None, *TaskState)

ON, OFF, GONE = PowerState.RUNNING, PowerState.SHUTDOWN, None
PAUSED, CRASHED, ASLEEP = PowerState.PAUSED, PowerState.CRASHED, PowerState.SUSPENDED

EXPECTED = [
    # vm state, task state, guest, remedy
    ("active", None, ON, Remedy.KEEP),
    ("active", None, OFF, Remedy.KEEP),
    ("active", None, GONE, Remedy.KEEP),
    ("stopped", None, GONE, Remedy.KEEP),
    ("paused", None, PAUSED, Remedy.KEEP),
    ("rescued", None, ON, Remedy.KEEP),
    ("resized", None, ON, Remedy.KEEP),
    ("shelved", None, GONE, Remedy.KEEP),
    ("shelved_offloaded", None, GONE, Remedy.KEEP),
    # what is being deleted goes, whatever it is
    ("active", "deleting", ON, Remedy.DELETE),
    ("active", "deleting", GONE, Remedy.DELETE),
    ("building", "deleting", GONE, Remedy.DELETE),
    ("error", "deleting", OFF, Remedy.DELETE),
    ("soft-delete", "deleting", OFF, Remedy.DELETE),
    ("deleted", None, GONE, Remedy.DELETE),
    ("deleted", None, ON, Remedy.DELETE),
    ("deleted", "spawning", GONE, Remedy.DELETE),
    # the soft-deleted wait
    ("soft-delete", None, OFF, Remedy.KEEP),
    ("soft-delete", "restoring", OFF, Remedy.RESTORE),
    ("soft-delete", "restoring", ON, Remedy.RESTORE),
    ("soft-delete", "powering-on", OFF, Remedy.CLEAR),
    # errors stay
    ("error", None, ON, Remedy.KEEP),
    ("error", None, GONE, Remedy.KEEP),
    ("error", "rebooting_hard", OFF, Remedy.CLEAR),
    ("error", "rebuilding", ON, Remedy.CLEAR),
    ("error", "powering-off", ON, Remedy.CLEAR),
    # builds
    ("building", None, GONE, Remedy.FAIL),
    ("building", None, ON, Remedy.FAIL),
    ("building", "scheduling", GONE, Remedy.FAIL),
    ("building", "networking", GONE, Remedy.FAIL),
    ("building", "block_device_mapping", GONE, Remedy.FAIL),
    ("building", "spawning", GONE, Remedy.FAIL),
    ("building", "spawning", ON, Remedy.FAIL),
    ("active", "spawning", ON, Remedy.CLEAR),
    ("active", "spawning", OFF, Remedy.FAIL),
    ("shelved_offloaded", "spawning", ON, Remedy.FINISH_UNSHELVE),
    ("shelved_offloaded", "spawning", OFF, Remedy.OFFLOAD),
    ("shelved_offloaded", "spawning", GONE, Remedy.OFFLOAD),
    ("active", "rebuilding", ON, Remedy.FAIL),
    ("stopped", "rebuild_block_device_mapping", GONE, Remedy.FAIL),
    ("active", "rebuild_spawning", ON, Remedy.FAIL),
    # power
    ("active", "powering-off", ON, Remedy.STOP),
    ("active", "powering-off", OFF, Remedy.STOP),
    ("stopped", "powering-on", OFF, Remedy.START),
    ("stopped", "powering-on", ON, Remedy.START),
    # reboots that the agent had accepted and not begun
    ("active", "reboot_pending", ON, Remedy.REBOOT_SOFT),
    ("active", "reboot_pending", OFF, Remedy.REBOOT_HARD),
    ("active", "reboot_pending", GONE, Remedy.REBOOT_HARD),
    ("rescued", "reboot_pending", ON, Remedy.CLEAR),
    ("active", "reboot_pending_hard", ON, Remedy.REBOOT_HARD),
    ("stopped", "reboot_pending_hard", OFF, Remedy.REBOOT_HARD),
    ("suspended", "reboot_pending_hard", OFF, Remedy.REBOOT_HARD),
    ("rescued", "reboot_pending_hard", ON, Remedy.CLEAR),
    # reboots that may have been done
    ("active", "rebooting", ON, Remedy.SETTLE),
    ("active", "reboot_started", ON, Remedy.SETTLE),
    ("active", "rebooting_hard", ON, Remedy.SETTLE),
    ("active", "reboot_started_hard", ON, Remedy.SETTLE),
    ("active", "rebooting", OFF, Remedy.REBOOT_HARD),
    ("active", "reboot_started", CRASHED, Remedy.REBOOT_HARD),
    ("active", "rebooting_hard", GONE, Remedy.REBOOT_HARD),
    ("active", "reboot_started_hard", PAUSED, Remedy.REBOOT_HARD),
    # pause, suspend
    ("active", "pausing", ON, Remedy.SETTLE),
    ("active", "pausing", PAUSED, Remedy.SETTLE),
    ("paused", "unpausing", ON, Remedy.SETTLE),
    ("active", "suspending", ASLEEP, Remedy.SETTLE),
    ("active", "suspending", OFF, Remedy.SETTLE),
    ("active", "suspending", PAUSED, Remedy.CLEAR),
    ("suspended", "resuming", ON, Remedy.SETTLE),
    ("suspended", "resuming", OFF, Remedy.CLEAR),
    # images, password, rescue
    ("active", "image_snapshot", ON, Remedy.CLEAR),
    ("active", "image_snapshot_pending", ON, Remedy.CLEAR),
    ("active", "image_pending_upload", ON, Remedy.CLEAR),
    ("stopped", "image_uploading", OFF, Remedy.CLEAR),
    ("active", "image_backup", ON, Remedy.CLEAR),
    ("active", "updating_password", ON, Remedy.CLEAR),
    ("active", "rescuing", ON, Remedy.RESCUE),
    ("stopped", "rescuing", OFF, Remedy.RESCUE),
    ("error", "rescuing", OFF, Remedy.RESCUE),
    ("rescued", "unrescuing", ON, Remedy.RESCUE),
    # soft deletion
    ("active", "soft-deleting", OFF, Remedy.SETTLE),
    ("active", "restoring", ON, Remedy.SETTLE),
    # shelving
    ("active", "shelving", OFF, Remedy.SETTLE),
    ("active", "shelving_image_pending_upload", OFF, Remedy.SETTLE),
    ("active", "shelving_image_uploading", OFF, Remedy.SETTLE),
    ("shelved", "shelving_offloading", OFF, Remedy.OFFLOAD),
    ("shelved", "shelving_offloading", GONE, Remedy.OFFLOAD),
    ("active", "shelving_offloading", ON, Remedy.SETTLE),
    ("shelved", "unshelving", OFF, Remedy.CLEAR),
    # moves
    ("active", "resize_prep", ON, Remedy.END_RESIZE),
    ("active", "resize_migrating", ON, Remedy.PUT_BACK),
    ("active", "resize_migrating", OFF, Remedy.PUT_BACK),
    ("active", "resize_migrated", GONE, Remedy.GO_ON),
    ("active", "resize_finish", ON, Remedy.GO_ON),
    ("resized", "resize_reverting", ON, Remedy.GO_ON),
    ("resized", "resize_reverting", GONE, Remedy.GO_ON),
    ("resized", "resize_confirming", GONE, Remedy.CLEAR),
    ("active", "migrating", ON, Remedy.END_MIGRATION),
    ("active", "migrating", GONE, Remedy.FINISH_MIGRATION),
]


@pytest.mark.parametrize(("vm_state", "task_state", "guest", "remedy"), EXPECTED)
def test_row(vm_state, task_state, guest, remedy):
    task = TaskState(task_state) if task_state else None
    assert decide(VmState(vm_state), task, guest).remedy is remedy


def test_every_instance_has_a_row_and_every_row_an_instance():
    used = {decide(*each) for each in itertools.product(VmState, TASKS, GUESTS)}
    assert used == set(ROWS)


def test_every_task_state_is_meant_by_a_row_of_its_own():
    assert {task for row in ROWS for task in row.tasks} == set(TASKS)
    assert len(TaskState) == 42


def test_every_task_state_is_tried_above():
    assert {task for _, task, _, _ in EXPECTED} == {None, *(str(task) for task in TaskState)}


def test_nothing_stays_in_a_task_state_for_ever():
    """KEEP is the only remedy that changes nothing."""
    kept = {
        task
        for vm_state, task, guest in itertools.product(VmState, TASKS, GUESTS)
        if decide(vm_state, task, guest).remedy is Remedy.KEEP
    }
    assert kept == {None}


def test_a_guest_that_is_gone_never_makes_an_instance_deleted():
    """Only what its owner, or the record, says is deleted is."""
    for vm_state, task in itertools.product(VmState, TASKS):
        if vm_state is VmState.DELETED or task is TaskState.DELETING:
            continue
        assert decide(vm_state, task, None).remedy is not Remedy.DELETE


@pytest.mark.parametrize(
    ("vm_state", "guest", "result"),
    [
        (VmState.STOPPED, ON, VmState.ACTIVE),
        (VmState.ACTIVE, OFF, VmState.STOPPED),
        (VmState.SUSPENDED, OFF, VmState.SUSPENDED),
        (VmState.ACTIVE, CRASHED, VmState.STOPPED),
        (VmState.ACTIVE, PAUSED, VmState.PAUSED),
        (VmState.PAUSED, ON, VmState.ACTIVE),
        (VmState.ACTIVE, ASLEEP, VmState.SUSPENDED),
        (VmState.ACTIVE, GONE, VmState.ACTIVE),
        (VmState.ACTIVE, PowerState.NOSTATE, VmState.ACTIVE),
        (VmState.RESCUED, ON, VmState.RESCUED),
        (VmState.RESIZED, OFF, VmState.RESIZED),
        (VmState.SHELVED, OFF, VmState.SHELVED),
    ],
)
def test_settled(vm_state, guest, result):
    assert settled(vm_state, guest) is result
