"""What a restart does about an instance, as one table over its record and its guest."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from computed.states import (
    HARD_REBOOT_STATES,
    REBOOTABLE_HARD,
    REBOOTABLE_SOFT,
    REBUILDING_STATES,
    SOFT_REBOOT_STATES,
    PowerState,
    TaskState,
    VmState,
)


class Remedy(StrEnum):
    """What is done about an instance."""

    KEEP = "its states are legal: leave them"
    CLEAR = "forget the task"
    SETTLE = "forget the task, and call the instance what its guest is"
    FAIL = "error, with a fault"
    DELETE = "finish the deletion"
    STOP = "stop it again"
    START = "start it again"
    RESTORE = "restore it again"
    REBOOT_SOFT = "reboot it softly again"
    REBOOT_HARD = "reboot it hard"
    RESCUE = "call it rescued if its guest is, else what its guest is"
    FINISH_UNSHELVE = "call it active, and forget its image"
    OFFLOAD = "take it off this host"
    END_RESIZE = "end its resize, and forget the task"
    PUT_BACK = "end its resize, and make its guest again"
    GO_ON = "go on with its resize"
    END_MIGRATION = "end its live migration, and forget the task"
    FINISH_MIGRATION = "finish its live migration, if it was on its way, else error"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. An empty condition is met by everything; a guest of None is one that the
    hypervisor does not have."""

    tasks: tuple[TaskState | None, ...]
    remedy: Remedy
    why: str
    vm_states: tuple[VmState, ...] = ()
    guests: tuple[PowerState | None, ...] = ()

    def fits(self, vm_state: VmState, task_state: TaskState | None, guest: PowerState | None) -> bool:
        """Whether this line speaks of such an instance."""
        return (
            (not self.tasks or task_state in self.tasks)
            and (not self.vm_states or vm_state in self.vm_states)
            and (not self.guests or guest in self.guests)
        )


_RUNNING: Final = (PowerState.RUNNING,)
_ABSENT: Final = (None,)
_BUILDING: Final = (
    TaskState.SCHEDULING,
    TaskState.NETWORKING,
    TaskState.BLOCK_DEVICE_MAPPING,
    TaskState.SPAWNING,
)
_IMAGING: Final = (
    TaskState.IMAGE_SNAPSHOT_PENDING,
    TaskState.IMAGE_SNAPSHOT,
    TaskState.IMAGE_PENDING_UPLOAD,
    TaskState.IMAGE_UPLOADING,
    TaskState.IMAGE_BACKUP,
)
_SHELVED: Final = (VmState.SHELVED, VmState.SHELVED_OFFLOADED)
_SHELVING: Final = (
    TaskState.SHELVING,
    TaskState.SHELVING_IMAGE_PENDING_UPLOAD,
    TaskState.SHELVING_IMAGE_UPLOADING,
)
# Where a reboot is once the API or the agent has begun it; a pending one the agent has accepted already.
_BEGUN_REBOOTS: Final = tuple(
    state
    for state in (*SOFT_REBOOT_STATES, *HARD_REBOOT_STATES)
    if state not in (TaskState.REBOOT_PENDING, TaskState.REBOOT_PENDING_HARD)
)

# The first line that fits counts. The verbs of power, build and delete are repeated or ended; of the others
# nobody knows how far they came, so either the guest tells what the instance is or it is an error.
ROWS: Final = (
    # Deletions, whatever else the instance is
    Row((), Remedy.DELETE, "it is deleted in all but its record", vm_states=(VmState.DELETED,)),
    Row((TaskState.DELETING,), Remedy.DELETE, "its deletion was interrupted"),
    Row((None,), Remedy.KEEP, "it waits to be reclaimed or restored", vm_states=(VmState.SOFT_DELETED,)),
    Row(
        (TaskState.RESTORING,),
        Remedy.RESTORE,
        "its restoring was interrupted",
        vm_states=(VmState.SOFT_DELETED,),
    ),
    Row((), Remedy.CLEAR, "it can be restored or deleted again", vm_states=(VmState.SOFT_DELETED,)),
    # A rescue may begin from an error
    Row(
        (TaskState.RESCUING, TaskState.UNRESCUING),
        Remedy.RESCUE,
        "its rescue, or the end of it, was interrupted",
    ),
    # Errors stay errors, until their owner does something about them
    Row((None,), Remedy.KEEP, "it is in error", vm_states=(VmState.ERROR,)),
    Row((), Remedy.CLEAR, "it stays in error", vm_states=(VmState.ERROR,)),
    # An unshelving: its image is still there
    Row(
        (TaskState.SPAWNING,),
        Remedy.FINISH_UNSHELVE,
        "it runs after an interrupted unshelving",
        vm_states=_SHELVED,
        guests=_RUNNING,
    ),
    Row((TaskState.SPAWNING,), Remedy.OFFLOAD, "its unshelving was interrupted", vm_states=_SHELVED),
    # Builds
    Row((), Remedy.FAIL, "its build was interrupted", vm_states=(VmState.BUILDING,)),
    Row(_BUILDING, Remedy.CLEAR, "its build had ended", vm_states=(VmState.ACTIVE,), guests=_RUNNING),
    Row(_BUILDING, Remedy.FAIL, "its build was interrupted"),
    Row(REBUILDING_STATES, Remedy.FAIL, "its rebuild was interrupted"),
    # Nothing was being done
    Row((None,), Remedy.KEEP, "nothing was being done to it"),
    # Power
    Row((TaskState.POWERING_OFF,), Remedy.STOP, "its stop was interrupted"),
    Row((TaskState.POWERING_ON,), Remedy.START, "its start was interrupted"),
    Row(
        (TaskState.REBOOT_PENDING,),
        Remedy.REBOOT_SOFT,
        "its reboot had not begun",
        vm_states=REBOOTABLE_SOFT,
        guests=_RUNNING,
    ),
    Row(
        (TaskState.REBOOT_PENDING,),
        Remedy.REBOOT_HARD,
        "its reboot was interrupted",
        vm_states=REBOOTABLE_SOFT,
    ),
    Row(
        (TaskState.REBOOT_PENDING_HARD,),
        Remedy.REBOOT_HARD,
        "its reboot had not begun",
        vm_states=REBOOTABLE_HARD,
    ),
    Row(
        (TaskState.REBOOT_PENDING, TaskState.REBOOT_PENDING_HARD),
        Remedy.CLEAR,
        "it cannot be rebooted as it is",
    ),
    Row(_BEGUN_REBOOTS, Remedy.SETTLE, "it runs after an interrupted reboot", guests=_RUNNING),
    Row(_BEGUN_REBOOTS, Remedy.REBOOT_HARD, "it does not run after an interrupted reboot"),
    Row((TaskState.PAUSING, TaskState.UNPAUSING), Remedy.SETTLE, "its guest tells whether it is paused"),
    Row(
        (TaskState.SUSPENDING,),
        Remedy.CLEAR,
        "nobody knows whether it is being suspended",
        guests=(PowerState.PAUSED,),
    ),
    Row((TaskState.SUSPENDING,), Remedy.SETTLE, "its guest tells whether it is suspended"),
    Row((TaskState.RESUMING,), Remedy.SETTLE, "it had resumed", guests=_RUNNING),
    Row((TaskState.RESUMING,), Remedy.CLEAR, "it had not resumed"),
    # Images, passwords
    Row(_IMAGING, Remedy.CLEAR, "its snapshot was interrupted"),
    Row((TaskState.UPDATING_PASSWORD,), Remedy.CLEAR, "its password may or may not be new"),
    # Soft deletion and its undoing
    Row(
        (TaskState.SOFT_DELETING, TaskState.RESTORING),
        Remedy.SETTLE,
        "its deletion, or the undoing of it, was interrupted",
    ),
    # Shelving
    Row(_SHELVING, Remedy.SETTLE, "its shelving was interrupted"),
    Row(
        (TaskState.SHELVING_OFFLOADING,), Remedy.OFFLOAD, "its offloading was interrupted", vm_states=_SHELVED
    ),
    Row((TaskState.SHELVING_OFFLOADING,), Remedy.SETTLE, "its offloading had not begun"),
    Row((TaskState.UNSHELVING,), Remedy.CLEAR, "it can be unshelved again"),
    # Moves
    Row((TaskState.RESIZE_PREP,), Remedy.END_RESIZE, "its resize had not begun here"),
    Row((TaskState.RESIZE_MIGRATING,), Remedy.PUT_BACK, "its disks had not left for good"),
    Row(
        (TaskState.RESIZE_MIGRATED, TaskState.RESIZE_FINISH),
        Remedy.GO_ON,
        "it had come here, and its resize was interrupted",
    ),
    Row((TaskState.RESIZE_REVERTING,), Remedy.GO_ON, "the way back was interrupted"),
    Row((TaskState.RESIZE_CONFIRMING,), Remedy.CLEAR, "its resize can be confirmed or reverted again"),
    Row((TaskState.MIGRATING,), Remedy.FINISH_MIGRATION, "its guest has left", guests=_ABSENT),
    Row((TaskState.MIGRATING,), Remedy.END_MIGRATION, "its live migration was interrupted"),
)

# What a guest makes of an instance that may be any of these.
_SETTLED: Final = {
    PowerState.RUNNING: VmState.ACTIVE,
    PowerState.SHUTDOWN: VmState.STOPPED,
    PowerState.CRASHED: VmState.STOPPED,
    PowerState.PAUSED: VmState.PAUSED,
    PowerState.SUSPENDED: VmState.SUSPENDED,
}


def decide(vm_state: VmState, task_state: TaskState | None, guest: PowerState | None) -> Row:
    """The line of the table for an instance; `guest` None: the hypervisor has none.

    The hypervisor must have answered in full: of an unknown guest nothing can be decided.
    """
    return next(row for row in ROWS if row.fits(vm_state, task_state, guest))


def settled(vm_state: VmState, guest: PowerState | None) -> VmState:
    """What an instance is, going by its guest.

    A guest that is not there, or in no state, tells nothing; nor does any guest of an instance that is
    rescued, resized or shelved. A guest that is suspended may show as one that is shut down.
    """
    if (vm_state, guest) == (VmState.SUSPENDED, PowerState.SHUTDOWN):
        return vm_state
    if vm_state not in _SETTLED.values() or guest not in _SETTLED:
        return vm_state
    return _SETTLED[guest]
