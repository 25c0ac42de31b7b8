"""What a restarted agent does about an instance, by the states it finds: a table, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from computed.states import (
    REBOOTABLE_HARD,
    REBOOTABLE_SOFT,
    REBUILDING_STATES,
    SOFT_REBOOT_STATES,
    PowerState,
    TaskState,
    VmState,
)


class Action(Enum):
    """What is done about one instance."""

    LEAVE = auto()
    FINISH_DELETED = auto()
    """The guest is gone, the record is not yet."""
    FAIL_BUILD = auto()
    FAIL_REBUILD = auto()
    CLEAR_TASK = auto()
    SETTLE_ACTIVE = auto()
    """The guest runs: whatever was being done is over, and the instance is active."""
    DELETE = auto()
    REBOOT_SOFT = auto()
    REBOOT_HARD = auto()
    STOP = auto()
    START = auto()
    END_LIVE_MIGRATION = auto()
    RESUME = auto()
    """The guest ran when the host went down: start it again."""


@dataclass(frozen=True)
class Found:
    """One instance as the restart finds it. `guest` is None when the hypervisor cannot be asked;
    `was_interrupted`: the agent was up after the task had begun, so its order is not still in the queue."""

    vm_state: str | None
    task_state: str | None
    power_state: int | None
    guest: int | None
    was_interrupted: bool = True
    may_resume: bool = False


_BUILDING: Final = frozenset(
    {TaskState.SCHEDULING, TaskState.BLOCK_DEVICE_MAPPING, TaskState.NETWORKING, TaskState.SPAWNING}
)
_CLEARED_AT_ONCE: Final = frozenset(
    {
        TaskState.IMAGE_SNAPSHOT_PENDING,
        TaskState.IMAGE_PENDING_UPLOAD,
        TaskState.IMAGE_UPLOADING,
        TaskState.IMAGE_SNAPSHOT,
        TaskState.RESIZE_PREP,
        TaskState.RESIZE_MIGRATING,
    }
)
_OVER_WHEN_RUNNING: Final = frozenset(
    {
        TaskState.REBOOT_STARTED,
        TaskState.REBOOT_STARTED_HARD,
        TaskState.REBOOTING_HARD,
        TaskState.REBOOTING,
        TaskState.PAUSING,
        TaskState.UNPAUSING,
    }
)
_REBOOT_UNDER_WAY: Final = frozenset(
    {
        TaskState.REBOOTING,
        TaskState.REBOOTING_HARD,
        TaskState.REBOOT_STARTED,
        TaskState.REBOOT_STARTED_HARD,
    }
)
# Tasks of this host alone whose order is lost when it was interrupted: the owner may give it again. Moves
# are not among them, for another host may be at work.
_CLEARED_WHEN_INTERRUPTED: Final = frozenset(
    {
        TaskState.IMAGE_BACKUP,
        TaskState.PAUSING,
        TaskState.RESCUING,
        TaskState.RESTORING,
        TaskState.RESUMING,
        TaskState.SHELVING,
        TaskState.SHELVING_IMAGE_PENDING_UPLOAD,
        TaskState.SHELVING_IMAGE_UPLOADING,
        TaskState.SHELVING_OFFLOADING,
        TaskState.SOFT_DELETING,
        TaskState.SUSPENDING,
        TaskState.UNPAUSING,
        TaskState.UNRESCUING,
        TaskState.UPDATING_PASSWORD,
    }
)
_BY_TASK: Final[Mapping[str, Action]] = {
    TaskState.POWERING_OFF: Action.STOP,
    TaskState.POWERING_ON: Action.START,
}


def plan(found: Found) -> tuple[Action, ...]:
    """What to do, in order, about an instance of this host that is `found` at a restart."""
    vm_state, task = found.vm_state, found.task_state
    if vm_state == VmState.DELETED:
        return (Action.FINISH_DELETED,)
    if task == TaskState.DELETING and vm_state != VmState.SOFT_DELETED:
        return (Action.DELETE,)
    if vm_state in (VmState.SOFT_DELETED, VmState.ERROR):
        return _of_a_dead_one(vm_state, task)
    if vm_state == VmState.BUILDING or task in _BUILDING:
        return (Action.FAIL_BUILD,)
    if task in REBUILDING_STATES:
        return (Action.FAIL_REBUILD,) if vm_state in (VmState.ACTIVE, VmState.STOPPED) else (Action.LEAVE,)
    if task in _CLEARED_AT_ONCE:
        return (Action.CLEAR_TASK, *_resume(found))
    if task == TaskState.MIGRATING:
        return (Action.END_LIVE_MIGRATION, *_resume(found))
    if task is None:
        return _resume(found) or (Action.LEAVE,)
    return _by_guest(found)


def _of_a_dead_one(vm_state: str, task: str | None) -> tuple[Action, ...]:
    if vm_state == VmState.ERROR and task == TaskState.RESIZE_MIGRATING:
        return (Action.CLEAR_TASK,)
    return (Action.LEAVE,)


def _by_guest(found: Found) -> tuple[Action, ...]:
    """Where it depends on the guest; one whose state is not known is left alone."""
    task = found.task_state
    assert task is not None
    if found.guest is None:
        return (Action.LEAVE,)
    reboot = _reboot(found)
    if reboot is not None:
        return (reboot,)
    if found.guest == PowerState.RUNNING and task in _OVER_WHEN_RUNNING:
        return (Action.SETTLE_ACTIVE,)
    if task in _BY_TASK:
        return (_BY_TASK[task],)
    if task in _CLEARED_WHEN_INTERRUPTED and found.was_interrupted:
        return (Action.CLEAR_TASK,)
    return (Action.LEAVE,)


def _reboot(found: Found) -> Action | None:
    """How a reboot goes on: a guest that does not run can only be rebooted hard."""
    task, is_running = found.task_state, found.guest == PowerState.RUNNING
    is_wanted = (
        (task == TaskState.REBOOT_PENDING and found.vm_state in REBOOTABLE_SOFT)
        or (task == TaskState.REBOOT_PENDING_HARD and found.vm_state in REBOOTABLE_HARD)
        or (task in _REBOOT_UNDER_WAY and not is_running)
    )
    if not is_wanted:
        return None
    return Action.REBOOT_SOFT if is_running and task in SOFT_REBOOT_STATES else Action.REBOOT_HARD


def _resume(found: Found) -> tuple[Action, ...]:
    ran = found.power_state == PowerState.RUNNING
    is_down = found.guest is not None and found.guest != PowerState.RUNNING
    return (Action.RESUME,) if found.may_resume and ran and is_down else ()
