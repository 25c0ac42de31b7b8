"""Snapshots of volumes in use that only the hypervisor can take, on the order of the volume service."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.steps.volumes import refresh

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 60.0


def volume_snapshot_create(
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    volume_id: str,
    create_info: Mapping[str, Any],
) -> None:
    """Take a snapshot of a volume and report on it: "creating" is our part done, "error" our failure.

    The service finishes it and may connect the volume in another way then, which the mapping learns.
    Raises NotImplementedError for a driver that takes none.
    """
    snapshot_id = create_info["snapshot_id"]
    try:
        host.driver.create_volume_snapshot(context, instance, volume_id, create_info)
    except (NotImplementedError, errors.InstanceNotRunning) as error:
        _pass_over(instance, error)
        return
    except Exception:
        _report(host, context, snapshot_id, "error")
        raise
    _report(host, context, snapshot_id, "creating")
    _follow(host, context, instance, volume_id, snapshot_id, "creating")


def volume_snapshot_delete(
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    volume_id: str,
    snapshot_id: str,
    delete_info: Mapping[str, Any],
) -> None:
    """Merge a snapshot of a volume and report on it: "deleting" is our part done."""
    try:
        host.driver.delete_volume_snapshot(context, instance, volume_id, snapshot_id, delete_info)
    except (NotImplementedError, errors.InstanceNotRunning) as error:
        _pass_over(instance, error)
        return
    except Exception:
        _report(host, context, snapshot_id, "error_deleting")
        raise
    _report(host, context, snapshot_id, "deleting")
    _refresh(host, context, instance, volume_id)


def _pass_over(instance: Any, error: Exception) -> None:
    """A guest that has stopped meanwhile has no use for the snapshot; a driver without them says so."""
    if isinstance(error, NotImplementedError):
        raise error
    LOG.info("Instance %s does not run: its volume is left alone", instance.uuid)


def _report(host: ComputeHost, context: Any, snapshot_id: str, status: str) -> None:
    try:
        host.volumes.update_snapshot_status(context, snapshot_id, status)
    except errors.NovaException as error:
        LOG.warning(
            "Snapshot %s is %s, which the volume service was not told: %s", snapshot_id, status, error
        )


def _follow(
    host: ComputeHost, context: Any, instance: Any, volume_id: str, snapshot_id: str, status: str
) -> None:
    """Wait until the service has done its part, then see how the volume is connected."""
    waited = 0.0
    while waited < _PATIENCE_SECONDS:
        try:
            if host.volumes.get_snapshot(context, snapshot_id).status != status:
                break
        except errors.NovaException as error:
            LOG.info("Snapshot %s cannot be followed: %s", snapshot_id, error)
            return
        if host.stopping.wait(_PAUSE_SECONDS):
            return
        waited += _PAUSE_SECONDS
    _refresh(host, context, instance, volume_id)


def _refresh(host: ComputeHost, context: Any, instance: Any, volume_id: str) -> None:
    try:
        bdm = objects.BlockDeviceMapping.get_by_volume_and_instance(context, volume_id, instance.uuid)
        refresh(host, context, instance, [bdm])
    except errors.NovaException as error:
        LOG.warning("Volume %s of instance %s is used as it was: %s", volume_id, instance.uuid, error)
