"""Deletes for good what was deleted softly and has not been restored in time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.states import VmState
from computed.steps import removal
from computed.steps.guest import PARTS

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def is_wanted(host: ComputeHost) -> bool:
    """Whether deletions can be taken back for a while (`reclaim_instance_interval`)."""
    return bool(host.conf.reclaim_instance_interval > 0)


def reclaim_queued_deletes(host: ComputeHost, context: Any) -> None:
    """Delete the softly deleted instances of this host whose time is over."""
    filters = {"vm_state": str(VmState.SOFT_DELETED), "task_state": None, "host": host.name}
    for instance in objects.InstanceList.get_by_filters(
        context, filters, expected_attrs=list(PARTS), use_slave=True
    ):
        if is_due(instance.deleted_at, host.conf.reclaim_instance_interval):
            _reclaim(host, context, instance)


def is_due(deleted_at: Any, seconds: int) -> bool:
    """Whether something deleted then has been so for longer than that; what has no date is due."""
    return deleted_at is None or bool(timeutils.is_older_than(deleted_at, seconds))


def _reclaim(host: ComputeHost, context: Any, instance: Any) -> None:
    try:
        with host.locks.try_hold(instance.uuid) as is_free:
            if not is_free:
                LOG.debug("Instance %s is being worked on", instance.uuid)
                return
            # The list may come from a replica, and the owner may have restored it since.
            instance.refresh()
            still = instance.vm_state == VmState.SOFT_DELETED and instance.task_state is None
            if still and instance.host == host.name:
                LOG.info("Instance %s was deleted softly and is deleted now", instance.uuid)
                removal.delete(host, context, instance, None)
    except errors.InstanceNotFound:
        LOG.debug("Instance %s is gone", instance.uuid)
    except Exception:
        LOG.exception("Instance %s was not reclaimed; the next run tries again", instance.uuid)
