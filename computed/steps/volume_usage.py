"""How much guests use their volumes: counters into the records and to those who bill."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.steps.block_devices import volume_spec

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost
    from computed.virt.port.volumes import VolumeStats

LOG = logging.getLogger(__name__)


def record_usage(
    host: ComputeHost, context: Any, instance: Any, volume_id: str, stats: VolumeStats, *, is_last: bool
) -> None:
    """Save the counters of one volume and notify them; `is_last` when they begin at 0 the next time."""
    usage = objects.VolumeUsage(
        context=context,
        volume_id=volume_id,
        instance_uuid=instance.uuid,
        project_id=instance.project_id,
        user_id=instance.user_id,
        availability_zone=instance.availability_zone,
        curr_reads=stats.reads,
        curr_read_bytes=stats.read_bytes,
        curr_writes=stats.writes,
        curr_write_bytes=stats.write_bytes,
    )
    usage.save(update_totals=is_last)
    try:
        host.notifier.volume_usage(context, usage)
    except Exception as error:
        LOG.warning("The usage of volume %s was not notified: %s", volume_id, error)


def note_last_usage(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> None:
    """Before a detachment: what the counters have reached, if usage is polled at all.

    That it cannot be had is logged; it must not keep a volume from being detached.
    """
    if host.conf.volume_usage_poll_interval <= 0 or not bdm.connection_info:
        return
    try:
        stats = host.driver.volume_stats({instance.uuid: [volume_spec(bdm)]})
        found = stats.get((instance.uuid, bdm.volume_id))
        if found is not None:
            record_usage(host, context, instance, bdm.volume_id, found, is_last=True)
    except NotImplementedError:
        LOG.debug("This hypervisor counts no use of volumes")
    except errors.NovaException as error:
        LOG.warning("The last use of volume %s was not recorded: %s", bdm.volume_id, error)
