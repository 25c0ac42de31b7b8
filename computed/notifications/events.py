"""Which payload an instance's event carries and what its legacy form is called, as tables."""

from __future__ import annotations

from collections.abc import Mapping

from computed.notifications.instance import (
    InstanceActionPayload,
    InstanceActionRebuildPayload,
    InstanceActionRescuePayload,
    InstanceActionResizePrepPayload,
    InstanceActionSharePayload,
    InstanceActionSnapshotPayload,
    InstanceActionVolumePayload,
    InstanceActionVolumeSwapPayload,
    InstanceCreatePayload,
    InstanceExistsPayload,
    InstancePayload,
)

_PAYLOADS: Mapping[str, type[InstancePayload]] = {
    "create": InstanceCreatePayload,
    "exists": InstanceExistsPayload,
    "rebuild": InstanceActionRebuildPayload,
    "rescue": InstanceActionRescuePayload,
    "resize_prep": InstanceActionResizePrepPayload,
    "share_attach": InstanceActionSharePayload,
    "share_detach": InstanceActionSharePayload,
    "snapshot": InstanceActionSnapshotPayload,
    "volume_attach": InstanceActionVolumePayload,
    "volume_detach": InstanceActionVolumePayload,
    "volume_swap": InstanceActionVolumeSwapPayload,
}

_LEGACY_NAMES: Mapping[str, str | None] = {
    "interface_attach": None,
    "interface_detach": None,
    "live_migration_abort": "live.migration.abort",
    "live_migration_force_complete": "live.migration.force.complete",
    "live_migration_post": "live_migration._post",
    "live_migration_post_dest": "live_migration.post.dest",
    "live_migration_pre": "live_migration.pre",
    "live_migration_rollback": "live_migration._rollback",
    "live_migration_rollback_dest": "live_migration.rollback.dest",
    "resize_confirm": "resize.confirm",
    "resize_finish": "finish_resize",
    "resize_prep": "resize.prep",
    "resize_revert": "resize.revert",
    "share_attach": None,
    "share_detach": None,
    "volume_swap": None,
}
"""Where the legacy name is not the action's own; None: there never was one."""

LEGACY_ONLY = frozenset({"create_ip", "delete_ip"})
"""Actions that never got a versioned form."""

TOLD_AS_API = frozenset({"share_attach", "share_detach"})
"""Actions that the agent tells in the name of the API: consumers know them from that publisher."""

_AT_THE_END_ONLY = {"volume_attach": "volume.attach", "volume_detach": "volume.detach"}


def payload_class_of(action: str) -> type[InstancePayload]:
    """The payload of `instance.<action>`."""
    return _PAYLOADS.get(action, InstanceActionPayload)


def versioned_type(action: str, phase: str | None) -> str:
    """The event type, e.g. "instance.power_off.start"."""
    return ".".join(("instance", action, phase)) if phase else f"instance.{action}"


def legacy_type(action: str, phase: str | None) -> str | None:
    """The legacy event type, e.g. "compute.instance.power_off.start"; None when there is none."""
    if action in _AT_THE_END_ONLY:
        return f"compute.instance.{_AT_THE_END_ONLY[action]}" if phase == "end" else None
    name = _LEGACY_NAMES.get(action, action)
    if name is None:
        return None
    return ".".join(("compute.instance", name, phase)) if phase else f"compute.instance.{name}"
