"""A volume has grown in the volume service: host, guest and mapping follow."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.steps import volumes
from computed.steps.action_events import action_event
from computed.steps.block_devices import volume_spec
from computed.steps.faults import record_fault
from computed.steps.volume_detach import with_encryption

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

EVENT_NAME: Final = "compute_extend_volume"
"""How stock calls it in the history of the instance."""
_BYTES_PER_GIB: Final = 1 << 30


def extend(host: ComputeHost, context: Any, instance: Any, volume_id: str) -> None:
    """Act on volume-extended; a failure leaves an action event and a fault, and is raised.

    Raises ExtendVolumeNotSupported and what driver and volume service raise.
    """
    with action_event(host, context, EVENT_NAME, instance.uuid):
        try:
            with host.locks.hold(f"volume-{volume_id}"):
                _extend(host, context, instance, volume_id)
        except Exception as error:
            record_fault(host, context, instance, error)
            raise


def _extend(host: ComputeHost, context: Any, instance: Any, volume_id: str) -> None:
    try:
        bdm = objects.BlockDeviceMapping.get_by_volume_and_instance(context, volume_id, instance.uuid)
    except errors.NotFound:
        LOG.warning("Volume %s has grown, but instance %s does not have it", volume_id, instance.uuid)
        return
    size_gib = host.volumes.get(context, volume_id).size_gib
    if not bdm.connection_info:
        LOG.warning("Volume %s of instance %s has grown, but is not connected", volume_id, instance.uuid)
        return
    bdm.volume_size = size_gib
    volumes.save(host, bdm)
    if not host.driver.capabilities["supports_extend_volume"]:
        raise errors.ExtendVolumeNotSupported()
    disk = with_encryption(host, context, volume_spec(bdm))
    host.driver.extend_volume(context, instance, disk, size_bytes=size_gib * _BYTES_PER_GIB)
