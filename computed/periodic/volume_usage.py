"""Records and notifies, now and then, how much the guests of this host use their volumes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.steps.block_devices import volume_spec
from computed.steps.volume_usage import record_usage
from computed.steps.volumes import volume_bdms

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def is_wanted(host: ComputeHost) -> bool:
    """Whether usage is polled at all (`volume_usage_poll_interval`)."""
    return bool(host.conf.volume_usage_poll_interval)


def poll_volume_usage(host: ComputeHost, context: Any) -> None:
    """Two calls to the conductor for what is attached, one to the driver, then one save a volume."""
    instances = objects.InstanceList.get_by_host(context, host.name, expected_attrs=[], use_slave=True)
    by_uuid = {instance.uuid: instance for instance in instances}
    if not by_uuid:
        return
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuids(context, list(by_uuid), use_slave=True)
    disks: dict[str, list[Any]] = {}
    for bdm in volume_bdms(bdms):
        if bdm.connection_info:
            disks.setdefault(bdm.instance_uuid, []).append(volume_spec(bdm))
    if not disks:
        return
    try:
        stats = host.driver.volume_stats(disks)
    except NotImplementedError:
        return
    for (instance_uuid, volume_id), found in stats.items():
        try:
            record_usage(host, context, by_uuid[instance_uuid], volume_id, found, is_last=False)
        except errors.NovaException as error:
            LOG.warning("The use of volume %s was not recorded: %s", volume_id, error)
