"""The volumes of an instance: made, connected to this host, handed over in a move."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.clients.volumes import NewVolume, Volume
from computed.steps.patience import patiently

if TYPE_CHECKING:
    from computed.lib.undo import UndoStack
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_MADE_FROM: Final = frozenset({"image", "snapshot", "blank"})
_IN_THE_MAKING: Final = frozenset({"creating", "downloading"})


def volume_bdms(bdms: Iterable[Any]) -> list[Any]:
    """Those of the mappings that are volumes."""
    return [bdm for bdm in bdms if bdm.is_volume and not bdm.no_device]


def connection_of(bdm: Any) -> dict[str, Any]:
    """The connection info that the mapping remembers; empty when it has none."""
    known: dict[str, Any] = json.loads(bdm.connection_info) if bdm.connection_info else {}
    return known or {}


# Getting volumes here


def prepare(host: ComputeHost, context: Any, instance: Any, bdms: Iterable[Any], undo: UndoStack) -> None:
    """Connect the instance's volumes to this host, making those first that the mappings only ask for.

    Every mapping has volume_id, attachment_id (none for an old-style attachment), volume_size and
    connection_info afterwards, and is saved. The undo disconnects them again, so that another host may be
    tried: volumes that this call has made and that are to go with the instance are deleted, the others stay
    reserved for it. `complete` must follow once the guest has them.
    Raises OverQuota, VolumeNotCreated, MultiattachNotSupportedByVirtDriver, InvalidVolume and what
    VolumeService raises.
    """
    for bdm in volume_bdms(bdms):
        is_unmade = _make(host, context, instance, bdm, undo)
        _disconnect_on_undo(host, context, instance, bdm, undo, is_unmade=is_unmade)
        connect(host, context, instance, bdm)
        save(host, bdm)


def _make(host: ComputeHost, context: Any, instance: Any, bdm: Any, undo: UndoStack) -> bool:
    """See to it that the mapping has a volume, and an attachment that reserves it; whether the undo deletes
    the volume."""
    is_unmade = bdm.volume_id is None and bdm.delete_on_termination
    if bdm.volume_id is None:
        volume = host.volumes.create(context, _wanted(host, context, instance, bdm))
        # Known to the mapping at once: whatever ends this build finds the volume there.
        bdm.volume_id = volume.id
        if is_unmade:
            undo.push(f"delete the new volume {volume.id}", lambda: _unmake(host, context, bdm))
        save(host, bdm)
        wait_available(host, context, volume.id)
    # What was connected without an attachment has an old-style one, and goes on with it.
    if bdm.attachment_id is None and not connection_of(bdm):
        bdm.attachment_id = host.volumes.attachment_create(context, bdm.volume_id, instance.uuid).id
    return bool(is_unmade)


def _wanted(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> NewVolume:
    """What volume the mapping asks for; a volume of a snapshot is of the type of the snapshot's volume."""
    if bdm.source_type not in _MADE_FROM:
        raise errors.InvalidBDMVolume(id=bdm.volume_id)
    volume_type = bdm.volume_type
    if bdm.source_type == "snapshot" and not volume_type:
        snapshot = host.volumes.get_snapshot(context, bdm.snapshot_id)
        if snapshot.volume_id:
            volume_type = host.volumes.get(context, snapshot.volume_id).volume_type
    return NewVolume(
        size_gib=bdm.volume_size,
        name=f"{instance.uuid}-blank-vol" if bdm.source_type == "blank" else "",
        volume_type=volume_type,
        availability_zone=None if host.conf.cinder.cross_az_attach else instance.availability_zone,
        image_id=bdm.image_id if bdm.source_type == "image" else None,
        snapshot_id=bdm.snapshot_id if bdm.source_type == "snapshot" else None,
    )


def _unmake(host: ComputeHost, context: Any, bdm: Any) -> None:
    host.volumes.delete(context, bdm.volume_id)
    bdm.volume_id = None
    save(host, bdm)


def wait_available(host: ComputeHost, context: Any, volume_id: str) -> None:
    """Wait until a new volume can be used; raises VolumeNotCreated when it cannot, or not in time."""
    conf = host.conf
    began, attempts = time.monotonic(), max(conf.block_device_allocate_retries, 0) + 1
    for attempt in range(1, attempts + 1):
        status = host.volumes.get(context, volume_id).status
        if status == "available":
            return
        if status not in _IN_THE_MAKING or attempt == attempts:
            break
        if host.stopping.wait(conf.block_device_allocate_retries_interval):
            break
    raise errors.VolumeNotCreated(
        volume_id=volume_id, seconds=int(time.monotonic() - began), attempts=attempt, volume_status=status
    )


def connect(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> Volume:
    """Connect a volume to this host that is reserved, or has an old-style attachment; its mapping knows the
    connection then, but is not saved.

    Raises MultiattachNotSupportedByVirtDriver, InvalidVolume (another zone) and VolumeService's errors.
    """
    volume = host.volumes.get(context, bdm.volume_id)
    _check_zone(host, instance, volume)
    if volume.is_multiattach and not host.driver.capabilities["supports_multiattach"]:
        raise errors.MultiattachNotSupportedByVirtDriver(volume_id=volume.id)
    if bdm.volume_size is None:
        bdm.volume_size = volume.size_gib
    with sharing(host, volume):
        info = _connection_to(host, context, instance, bdm)
    remember(bdm, info, is_multiattach=volume.is_multiattach)
    return volume


def _connection_to(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> dict[str, Any]:
    """Have the volume service connect the volume to this host; returns the connection info."""
    connector = host.driver.volume_connector(instance)
    if bdm.attachment_id is None:
        # An old-style attachment is connected to several hosts by asking for it.
        return host.volumes.initialize_connection(context, bdm.volume_id, connector)
    updated = host.volumes.attachment_update(
        context.elevated(), bdm.attachment_id, connector, bdm.device_name
    )
    return updated.connection_info


def sharing(host: ComputeHost, volume: Volume) -> AbstractContextManager[None]:
    """Held while a connection changes that the volume may share with others of its service."""
    if volume.shares_targets is False or volume.service_uuid is None:
        return nullcontext()
    return host.locks.hold(f"volume-service-{volume.service_uuid}")


def _check_zone(host: ComputeHost, instance: Any, volume: Volume) -> None:
    if host.conf.cinder.cross_az_attach or instance.availability_zone == volume.availability_zone:
        return
    raise errors.InvalidVolume(
        reason=f"volume {volume.id} is in zone {volume.availability_zone}, "
        f"instance {instance.uuid} in {instance.availability_zone}"
    )


def remember(bdm: Any, connection_info: Mapping[str, Any], *, is_multiattach: bool) -> None:
    """Write a connection into the mapping, with what nova adds to it; not saved."""
    info = dict(connection_info)
    info.setdefault("serial", bdm.volume_id)
    multipath_id = connection_of(bdm).get("data", {}).get("multipath_id")
    if multipath_id is not None:
        info["data"] = {**info.get("data", {}), "multipath_id": multipath_id}
    if is_multiattach:
        info["multiattach"] = True
    bdm.connection_info = json.dumps(info)


def _disconnect_on_undo(
    host: ComputeHost, context: Any, instance: Any, bdm: Any, undo: UndoStack, *, is_unmade: bool
) -> None:
    def disconnect() -> None:
        """The volume stays the instance's if it stays at all; what the undo deletes is let go of."""
        if is_unmade:
            host.volumes.attachment_delete(context, bdm.attachment_id)
            bdm.attachment_id = None
            bdm.connection_info = None
        else:
            park(host, context, instance, [bdm])

    undo.push(f"disconnect volume {bdm.volume_id}", disconnect)


def complete(host: ComputeHost, context: Any, instance: Any, bdms: Iterable[Any]) -> None:
    """The guest has its volumes: they are in use from now on."""
    for bdm in volume_bdms(bdms):
        if bdm.attachment_id is not None:
            host.volumes.attachment_complete(context, bdm.attachment_id)


def refresh(host: ComputeHost, context: Any, instance: Any, bdms: Any) -> list[Any]:
    """Bring the connections that the mappings remember up to what the service says now; saved if changed.

    For a guest that is made anew of its records. Returns the mappings of volumes that the service has only
    reserved, as after a move or a rebuild that failed: `prepare` and `complete` connect them. What never
    was connected is left out, somebody is just attaching it. Raises what VolumeService raises.
    """
    known = [bdm for bdm in volume_bdms(bdms) if connection_of(bdm)]
    return [bdm for bdm in known if not _refresh_one(host, context, instance, bdm)]


def _refresh_one(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> bool:
    """False when the service has no connection for the mapping."""
    known = connection_of(bdm)
    if bdm.attachment_id is None:
        connector = host.driver.volume_connector(instance)
        info = host.volumes.initialize_connection(context, bdm.volume_id, connector)
    else:
        attachment = host.volumes.attachment_get(context, bdm.attachment_id)
        info = attachment.connection_info
        if info and attachment.status != "attached":
            # A verb that failed late has connected it and did not come to say that the guest has it.
            host.volumes.attachment_complete(context, bdm.attachment_id)
    if not info:
        return False
    before = bdm.connection_info
    remember(bdm, info, is_multiattach=bool(known.get("multiattach")))
    if json.loads(bdm.connection_info) == known:
        bdm.connection_info = before
        bdm.obj_reset_changes(["connection_info"])
    else:
        save(host, bdm)
    return True


# Moves


def move_here(host: ComputeHost, context: Any, instance: Any, bdms: Iterable[Any], undo: UndoStack) -> None:
    """The destination of a move whose source still uses the volumes: one more attachment each, for this host.

    attachment_id and connection_info of every volume's mapping are replaced and saved; the undo deletes the
    new attachment and puts the old ones back. The caller remembers the old ids first, for
    `volume_release.leave`.
    """
    for bdm in volume_bdms(bdms):
        old = (bdm.attachment_id, bdm.connection_info)
        if bdm.attachment_id is None:
            remember(bdm, _connection_to(host, context, instance, bdm), is_multiattach=False)
        else:
            is_multiattach = bool(connection_of(bdm).get("multiattach"))
            attachment = host.volumes.attachment_create(
                context,
                bdm.volume_id,
                instance.uuid,
                connector=host.driver.volume_connector(instance),
                mountpoint=bdm.device_name,
            )
            bdm.attachment_id = attachment.id
            remember(bdm, attachment.connection_info, is_multiattach=is_multiattach)
        undo.push(f"move volume {bdm.volume_id} back", _Return(host, context, instance, bdm, old))
        save(host, bdm)


class _Return:
    """Undoes the move of one volume."""

    def __init__(
        self, host: ComputeHost, context: Any, instance: Any, bdm: Any, old: tuple[str | None, str | None]
    ) -> None:
        self._host, self._context, self._instance, self._bdm = host, context, instance, bdm
        self._old = old

    def __call__(self) -> None:
        host, bdm = self._host, self._bdm
        if bdm.attachment_id is None:
            connector = host.driver.volume_connector(self._instance)
            host.volumes.terminate_connection(self._context, bdm.volume_id, connector)
        elif bdm.attachment_id != self._old[0]:
            host.volumes.attachment_delete(self._context, bdm.attachment_id)
        bdm.attachment_id, bdm.connection_info = self._old
        save(host, bdm)


def park(host: ComputeHost, context: Any, instance: Any, bdms: Iterable[Any]) -> None:
    """Disconnect volumes from the host they are on, keeping them reserved for the instance.

    For a guest that is stopped and leaves this host, or every host (resize, shelve-offload); `prepare` on
    the next host connects them again. attachment_id is replaced and saved.
    """
    for bdm in volume_bdms(bdms):
        if bdm.attachment_id is None:
            connector = host.driver.volume_connector(instance)
            host.volumes.terminate_connection(context, bdm.volume_id, connector)
            continue
        _reserve_anew(host, context, instance, bdm)


def _reserve_anew(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> None:
    """A new attachment without a host in place of the one that the mapping has; on failure as before."""
    old = bdm.attachment_id
    # First the new one: without any attachment the volume would be anybody's.
    new = bdm.attachment_id = host.volumes.attachment_create(context, bdm.volume_id, instance.uuid).id
    try:
        save(host, bdm)
    except errors.NotFound:
        # The instance is gone, its mappings with it: nobody would ever find the reservation.
        host.volumes.attachment_delete(context, new)
    except errors.ConductorUnavailable:
        # The mapping may name either.
        raise
    except Exception:
        bdm.attachment_id = old
        host.volumes.attachment_delete(context, new)
        raise
    try:
        host.volumes.attachment_delete(context, old)
    except Exception:
        # The volume is still connected, so that is what its mapping must name, and nothing else reserves it.
        bdm.attachment_id = old
        save(host, bdm)
        host.volumes.attachment_delete(context, new)
        raise


def save(host: ComputeHost, bdm: Any) -> None:
    """Save a mapping, once, however often the answer is lost."""
    patiently(
        f"Saving the volume {bdm.volume_id} of instance {bdm.instance_uuid}",
        lambda is_repeated: bdm.save(),
        stopping=host.stopping,
    )
