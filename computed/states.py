"""The states of an instance and of a migration, and which of them may follow which, as tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class VmState(StrEnum):
    """What an instance is."""

    ACTIVE = "active"
    BUILDING = "building"
    DELETED = "deleted"
    ERROR = "error"
    PAUSED = "paused"
    RESCUED = "rescued"
    RESIZED = "resized"
    SHELVED = "shelved"
    SHELVED_OFFLOADED = "shelved_offloaded"
    SOFT_DELETED = "soft-delete"
    STOPPED = "stopped"
    SUSPENDED = "suspended"


class TaskState(StrEnum):
    """What is being done to an instance; None when nothing is."""

    BLOCK_DEVICE_MAPPING = "block_device_mapping"
    DELETING = "deleting"
    IMAGE_BACKUP = "image_backup"
    IMAGE_PENDING_UPLOAD = "image_pending_upload"
    IMAGE_SNAPSHOT = "image_snapshot"
    IMAGE_SNAPSHOT_PENDING = "image_snapshot_pending"
    IMAGE_UPLOADING = "image_uploading"
    MIGRATING = "migrating"
    NETWORKING = "networking"
    PAUSING = "pausing"
    POWERING_OFF = "powering-off"
    POWERING_ON = "powering-on"
    REBOOTING = "rebooting"
    REBOOTING_HARD = "rebooting_hard"
    REBOOT_PENDING = "reboot_pending"
    REBOOT_PENDING_HARD = "reboot_pending_hard"
    REBOOT_STARTED = "reboot_started"
    REBOOT_STARTED_HARD = "reboot_started_hard"
    REBUILDING = "rebuilding"
    REBUILD_BLOCK_DEVICE_MAPPING = "rebuild_block_device_mapping"
    REBUILD_SPAWNING = "rebuild_spawning"
    RESCUING = "rescuing"
    RESIZE_CONFIRMING = "resize_confirming"
    RESIZE_FINISH = "resize_finish"
    RESIZE_MIGRATED = "resize_migrated"
    RESIZE_MIGRATING = "resize_migrating"
    RESIZE_PREP = "resize_prep"
    RESIZE_REVERTING = "resize_reverting"
    RESTORING = "restoring"
    RESUMING = "resuming"
    SCHEDULING = "scheduling"
    SHELVING = "shelving"
    SHELVING_IMAGE_PENDING_UPLOAD = "shelving_image_pending_upload"
    SHELVING_IMAGE_UPLOADING = "shelving_image_uploading"
    SHELVING_OFFLOADING = "shelving_offloading"
    SOFT_DELETING = "soft-deleting"
    SPAWNING = "spawning"
    SUSPENDING = "suspending"
    UNPAUSING = "unpausing"
    UNRESCUING = "unrescuing"
    UNSHELVING = "unshelving"
    UPDATING_PASSWORD = "updating_password"


class PowerState(IntEnum):
    """What the hypervisor says of a guest; the numbers are those of the database."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7

    @property
    def label(self) -> str:
        """The name that the API shows: pending for NOSTATE, else the lower-case name."""
        return "pending" if self is PowerState.NOSTATE else self.name.lower()


class Action(StrEnum):
    """What a user asked for, as the instance action log records it."""

    ATTACH_INTERFACE = "attach_interface"
    ATTACH_SHARE = "attach_share"
    ATTACH_VOLUME = "attach_volume"
    BACKUP = "createBackup"
    CHANGE_PASSWORD = "changePassword"
    CONFIRM_RESIZE = "confirmResize"
    CREATE = "create"
    CREATE_IMAGE = "createImage"
    DELETE = "delete"
    DETACH_INTERFACE = "detach_interface"
    DETACH_SHARE = "detach_share"
    DETACH_VOLUME = "detach_volume"
    EVACUATE = "evacuate"
    EXTEND_VOLUME = "extend_volume"
    LIVE_MIGRATION = "live-migration"
    LIVE_MIGRATION_CANCEL = "live_migration_cancel"
    LIVE_MIGRATION_FORCE_COMPLETE = "live_migration_force_complete"
    LOCK = "lock"
    MIGRATE = "migrate"
    NOVA_MANAGE_REFRESH_VOLUME_ATTACHMENT = "refresh_volume_attachment"
    PAUSE = "pause"
    REBOOT = "reboot"
    REBUILD = "rebuild"
    RESCUE = "rescue"
    RESET_STATE = "resetState"
    RESIZE = "resize"
    RESTORE = "restore"
    RESUME = "resume"
    REVERT_RESIZE = "revertResize"
    SHELVE = "shelve"
    SHELVE_OFFLOAD = "shelveOffload"
    START = "start"
    STOP = "stop"
    SUSPEND = "suspend"
    SWAP_VOLUME = "swap_volume"
    TRIGGER_CRASH_DUMP = "trigger_crash_dump"
    UNLOCK = "unlock"
    UNPAUSE = "unpause"
    UNRESCUE = "unrescue"
    UNSHELVE = "unshelve"


class ActionResult(StrEnum):
    """How an action event ended."""

    SUCCESS = "Success"
    ERROR = "Error"


class MigrationType(StrEnum):
    """Why an instance changes its host."""

    MIGRATION = "migration"
    RESIZE = "resize"
    LIVE_MIGRATION = "live-migration"
    EVACUATION = "evacuation"


class ShareStatus(StrEnum):
    """How far the share of an instance is."""

    ACTIVE = "active"
    ATTACHING = "attaching"
    DETACHING = "detaching"
    ERROR = "error"
    INACTIVE = "inactive"


class ShareProtocol(StrEnum):
    """What a file share speaks."""

    CEPHFS = "CEPHFS"
    NFS = "NFS"


class MigrationStatus(StrEnum):
    """How far a migration is."""

    ACCEPTED = "accepted"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    CONFIRMING = "confirming"
    DONE = "done"
    ERROR = "error"
    FAILED = "failed"
    FINISHED = "finished"
    MIGRATING = "migrating"
    POST_MIGRATING = "post-migrating"
    PRE_MIGRATING = "pre-migrating"
    PREPARING = "preparing"
    QUEUED = "queued"
    REVERTED = "reverted"
    REVERTING = "reverting"
    RUNNING = "running"
    RUNNING_POST_COPY = "running (post-copy)"


class ExternalEventName(StrEnum):
    """What neutron, cinder, cyborg or an operator may tell about an instance."""

    NETWORK_CHANGED = "network-changed"
    NETWORK_VIF_PLUGGED = "network-vif-plugged"
    NETWORK_VIF_UNPLUGGED = "network-vif-unplugged"
    NETWORK_VIF_DELETED = "network-vif-deleted"
    VOLUME_EXTENDED = "volume-extended"
    POWER_UPDATE = "power-update"
    ACCELERATOR_REQUEST_BOUND = "accelerator-request-bound"
    VOLUME_REIMAGED = "volume-reimaged"


class ExternalEventStatus(StrEnum):
    """How what an event speaks of went."""

    FAILED = "failed"
    COMPLETED = "completed"
    IN_PROGRESS = "in-progress"


class PowerUpdate(StrEnum):
    """The tags of a power-update event."""

    POWER_ON = "POWER_ON"
    POWER_OFF = "POWER_OFF"


class BlockDeviceSource(StrEnum):
    """What a block device is filled from."""

    BLANK = "blank"
    IMAGE = "image"
    SNAPSHOT = "snapshot"
    VOLUME = "volume"


class BlockDeviceDestination(StrEnum):
    """Where a block device lies."""

    LOCAL = "local"
    VOLUME = "volume"


# Events that an operation may wait for; the others are handled by an operation of their own.
AWAITED_EVENTS: Final = frozenset(
    {
        ExternalEventName.NETWORK_VIF_PLUGGED,
        ExternalEventName.NETWORK_VIF_UNPLUGGED,
        ExternalEventName.ACCELERATOR_REQUEST_BOUND,
        ExternalEventName.VOLUME_REIMAGED,
    }
)

SOFT_REBOOT_STATES: Final = (TaskState.REBOOTING, TaskState.REBOOT_PENDING, TaskState.REBOOT_STARTED)
HARD_REBOOT_STATES: Final = (
    TaskState.REBOOTING_HARD,
    TaskState.REBOOT_PENDING_HARD,
    TaskState.REBOOT_STARTED_HARD,
)
RESIZING_STATES: Final = (
    TaskState.RESIZE_PREP,
    TaskState.RESIZE_MIGRATING,
    TaskState.RESIZE_MIGRATED,
    TaskState.RESIZE_FINISH,
)
REBUILDING_STATES: Final = (
    TaskState.REBUILDING,
    TaskState.REBUILD_BLOCK_DEVICE_MAPPING,
    TaskState.REBUILD_SPAWNING,
)
IMAGING_STATES: Final = (
    TaskState.IMAGE_SNAPSHOT_PENDING,
    TaskState.IMAGE_SNAPSHOT,
    TaskState.IMAGE_BACKUP,
    TaskState.IMAGE_PENDING_UPLOAD,
    TaskState.IMAGE_UPLOADING,
)
DELETING_STATES: Final = (TaskState.DELETING, TaskState.SOFT_DELETING)

# Power states of a guest that does not run.
POWERED_OFF: Final = (PowerState.NOSTATE, PowerState.SHUTDOWN, PowerState.CRASHED)

REBOOTABLE_SOFT: Final = (VmState.ACTIVE,)
REBOOTABLE_HARD: Final = (
    VmState.ACTIVE,
    VmState.STOPPED,
    VmState.PAUSED,
    VmState.SUSPENDED,
    VmState.ERROR,
)
# A reboot may start over while one of these is under way.
REBOOT_OVERRIDES: Final = (
    None,
    TaskState.REBOOTING,
    TaskState.REBOOT_PENDING,
    TaskState.REBOOT_STARTED,
    TaskState.RESUMING,
    TaskState.REBOOTING_HARD,
    TaskState.UNPAUSING,
    TaskState.PAUSING,
    TaskState.SUSPENDING,
)
CRASH_DUMPABLE: Final = (
    VmState.ACTIVE,
    VmState.PAUSED,
    VmState.RESCUED,
    VmState.RESIZED,
    VmState.ERROR,
)


def holds_resources(vm_state: str | None, task_state: str | None) -> bool:
    """Whether an instance in these states keeps what its host gave it.

    A deleted instance does not, nor does a shelved and offloaded one, unless it is just spawning again.
    """
    if vm_state == VmState.DELETED:
        return False
    return vm_state != VmState.SHELVED_OFFLOADED or task_state == TaskState.SPAWNING


@dataclass(frozen=True)
class Edge:
    """One step of the state machine: what must be so, and what is so after it.

    ``expected`` are the task states that the conductor must find when it saves (Instance.save's
    ``expected_task_state``); empty means that it does not look. ``vm_state`` is None where the step leaves
    it alone, and also where it depends on the guest: then the operation decides.
    """

    expected: tuple[TaskState | None, ...]
    task_state: TaskState | None
    vm_state: VmState | None = None


# The edges that a compute walks, by verb and step. The control plane guards against races with the same
# expectations, so they are part of the contract (recorded from a stock agent's saves).
EDGES: Final[Mapping[str, Edge]] = {
    "build": Edge((TaskState.SCHEDULING, None), None, VmState.BUILDING),
    "build_networking": Edge((None,), TaskState.NETWORKING, VmState.BUILDING),
    "build_block_devices": Edge((), TaskState.BLOCK_DEVICE_MAPPING, VmState.BUILDING),
    "build_spawning": Edge((TaskState.BLOCK_DEVICE_MAPPING,), TaskState.SPAWNING, VmState.BUILDING),
    "build_done": Edge((TaskState.SPAWNING,), None, VmState.ACTIVE),
    "build_reschedule": Edge((), TaskState.SCHEDULING),
    "stop": Edge((TaskState.POWERING_OFF,), None, VmState.STOPPED),
    # A guest found off already may belong to someone who raced us and cleared the task state.
    "stop_when_off": Edge((TaskState.POWERING_OFF, None), None, VmState.STOPPED),
    "start": Edge((TaskState.POWERING_ON,), None, VmState.ACTIVE),
    "reboot_soft": Edge(SOFT_REBOOT_STATES, TaskState.REBOOT_PENDING),
    "reboot_soft_started": Edge((TaskState.REBOOT_PENDING,), TaskState.REBOOT_STARTED),
    "reboot_hard": Edge(HARD_REBOOT_STATES, TaskState.REBOOT_PENDING_HARD),
    "reboot_hard_started": Edge((TaskState.REBOOT_PENDING_HARD,), TaskState.REBOOT_STARTED_HARD),
    # Active, unless the instance is being rescued.
    "reboot_done": Edge((), None),
    "soft_delete": Edge((TaskState.SOFT_DELETING,), None, VmState.SOFT_DELETED),
    "restore": Edge((TaskState.RESTORING,), None, VmState.ACTIVE),
    "delete_done": Edge((), None, VmState.DELETED),
    "pause": Edge((TaskState.PAUSING,), None, VmState.PAUSED),
    "unpause": Edge((TaskState.UNPAUSING,), None, VmState.ACTIVE),
    "suspend": Edge((TaskState.SUSPENDING,), None, VmState.SUSPENDED),
    # What the instance was before it was suspended.
    "resume": Edge((TaskState.RESUMING,), None),
    "rescue": Edge((TaskState.RESCUING,), None, VmState.RESCUED),
    "unrescue": Edge((TaskState.UNRESCUING,), None, VmState.ACTIVE),
    "rebuild": Edge((TaskState.REBUILDING,), TaskState.REBUILDING),
    "rebuild_block_devices": Edge((TaskState.REBUILDING,), TaskState.REBUILD_BLOCK_DEVICE_MAPPING),
    "rebuild_spawning": Edge((TaskState.REBUILD_BLOCK_DEVICE_MAPPING,), TaskState.REBUILD_SPAWNING),
    "rebuild_done": Edge((TaskState.REBUILD_SPAWNING,), None, VmState.ACTIVE),
    "snapshot": Edge((TaskState.IMAGE_SNAPSHOT_PENDING,), TaskState.IMAGE_SNAPSHOT),
    "snapshot_pending_upload": Edge((TaskState.IMAGE_SNAPSHOT,), TaskState.IMAGE_PENDING_UPLOAD),
    "snapshot_uploading": Edge((TaskState.IMAGE_PENDING_UPLOAD,), TaskState.IMAGE_UPLOADING),
    # The fake driver has nothing to prepare.
    "snapshot_uploading_at_once": Edge((TaskState.IMAGE_SNAPSHOT,), TaskState.IMAGE_UPLOADING),
    "backup_uploading_at_once": Edge((TaskState.IMAGE_BACKUP,), TaskState.IMAGE_UPLOADING),
    # A driver that uploads straight from storage and cannot after all starts over.
    "snapshot_upload_again": Edge((TaskState.IMAGE_UPLOADING,), TaskState.IMAGE_PENDING_UPLOAD),
    "snapshot_done": Edge((TaskState.IMAGE_UPLOADING,), None),
    "backup_pending_upload": Edge((TaskState.IMAGE_BACKUP,), TaskState.IMAGE_PENDING_UPLOAD),
    "set_password": Edge((TaskState.UPDATING_PASSWORD,), None),
    "resize_migrating": Edge((TaskState.RESIZE_PREP,), TaskState.RESIZE_MIGRATING),
    "resize_migrated": Edge((TaskState.RESIZE_MIGRATING,), TaskState.RESIZE_MIGRATED),
    "resize_finish": Edge((TaskState.RESIZE_MIGRATED,), TaskState.RESIZE_FINISH),
    "resize_done": Edge((TaskState.RESIZE_FINISH,), None, VmState.RESIZED),
    # Active or stopped, as the guest is. A delete may have begun since.
    "confirm_done": Edge((None, TaskState.DELETING, TaskState.SOFT_DELETING), None),
    "revert": Edge((TaskState.RESIZE_REVERTING,), TaskState.RESIZE_REVERTING),
    # Active, or stopped if the instance was stopped before the resize.
    "revert_done": Edge((TaskState.RESIZE_REVERTING,), None),
    "live_migration_done": Edge((TaskState.MIGRATING,), None),
    "live_migration_rollback": Edge((TaskState.MIGRATING,), None),
    "shelve_pending_upload": Edge((TaskState.SHELVING,), TaskState.SHELVING_IMAGE_PENDING_UPLOAD),
    "shelve_uploading": Edge((TaskState.SHELVING_IMAGE_PENDING_UPLOAD,), TaskState.SHELVING_IMAGE_UPLOADING),
    # The fake driver has nothing to prepare.
    "shelve_uploading_at_once": Edge((TaskState.SHELVING,), TaskState.SHELVING_IMAGE_UPLOADING),
    "shelve_upload_again": Edge(
        (TaskState.SHELVING_IMAGE_UPLOADING,), TaskState.SHELVING_IMAGE_PENDING_UPLOAD
    ),
    "shelve_done": Edge((TaskState.SHELVING, TaskState.SHELVING_IMAGE_UPLOADING), None, VmState.SHELVED),
    "shelve_then_offload": Edge(
        (TaskState.SHELVING, TaskState.SHELVING_IMAGE_UPLOADING),
        TaskState.SHELVING_OFFLOADING,
        VmState.SHELVED,
    ),
    # A shelved instance whose time on the host is over.
    "offload": Edge((None,), TaskState.SHELVING_OFFLOADING),
    "offload_done": Edge(
        (TaskState.SHELVING, TaskState.SHELVING_OFFLOADING), None, VmState.SHELVED_OFFLOADED
    ),
    "unshelve_spawning": Edge((), TaskState.SPAWNING),
    "unshelve_done": Edge((TaskState.SPAWNING,), None, VmState.ACTIVE),
    "power_update_on": Edge((None,), TaskState.POWERING_ON),
    "power_update_off": Edge((None,), TaskState.POWERING_OFF),
}
