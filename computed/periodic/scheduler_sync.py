"""Tells the schedulers which instances are on this host, in case they missed something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed import objects

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost


def is_wanted(host: ComputeHost) -> bool:
    """Whether schedulers care (`[filter_scheduler]track_instance_changes`)."""
    return bool(host.conf.filter_scheduler.track_instance_changes)


def sync_scheduler_instance_info(host: ComputeHost, context: Any) -> None:
    """One conductor call and one cast to every scheduler, however many the instances."""
    uuids = objects.InstanceList.get_uuids_by_host(context, host.name)
    host.scheduler.sync_instance_info(context.elevated(), list(uuids))
