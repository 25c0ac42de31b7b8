"""Deals with guests that run although their instance is deleted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.periodic.reclaim import is_due
from computed.steps import removal, volume_release
from computed.steps.guest import PARTS

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def is_wanted(host: ComputeHost) -> bool:
    """Whether anything is to be done about them (`running_deleted_instance_action`)."""
    return bool(host.conf.running_deleted_instance_action != "noop")


def cleanup_running_deleted_instances(host: ComputeHost, context: Any) -> None:
    """Log, switch off or remove such guests, as the option says.

    Only on proof: the hypervisor has the guest, and the record says that its instance is deleted. A guest
    without any record is nobody we know and is left alone.
    """
    for instance in _find(host, context):
        try:
            with host.locks.try_hold(instance.uuid) as is_free:
                if is_free:
                    _act(host, context, instance)
        except errors.InstanceNotFound:
            LOG.debug("Guest %s is gone", instance.uuid)
        except Exception:
            LOG.exception("The guest of the deleted instance %s was not dealt with", instance.uuid)


def _find(host: ComputeHost, context: Any) -> list[Any]:
    try:
        guests = host.driver.states()
    except (errors.HypervisorUnavailable, errors.ReadIncomplete) as error:
        LOG.warning("The guests of deleted instances cannot be looked for: %s", error)
        return []
    if not guests:
        return []
    filters = {"deleted": True, "soft_deleted": False, "uuid": sorted(guests)}
    found = objects.InstanceList.get_by_filters(
        context.elevated(read_deleted="yes"), filters, expected_attrs=list(PARTS), use_slave=True
    )
    timeout_seconds = host.conf.running_deleted_instance_timeout
    return [
        instance
        for instance in found
        if instance.deleted and instance.uuid in guests and is_due(instance.deleted_at, timeout_seconds)
    ]


def _act(host: ComputeHost, context: Any, instance: Any) -> None:
    action = host.conf.running_deleted_instance_action
    LOG.warning("Instance %s is deleted and its guest is still here (action: %s)", instance.uuid, action)
    if action == "shutdown":
        host.driver.power_off(instance)
    elif action == "reap":
        admin = context.elevated(read_deleted="yes")
        bdms = _mappings(host, admin, instance)
        host.events.forget(instance.uuid)
        removal.remove_guest(host, admin, instance, bdms)
        volume_release.release(host, admin, instance, bdms)
        host.tracker.release(instance)


def _mappings(host: ComputeHost, context: Any, instance: Any) -> list[Any]:
    """The instance's disks and volumes, without those that were detached from it while it lived.

    Those that went before their instance may also have gone with it, from a record whose agent was away: then
    the volume service may still have the attachment. One request, and only when there is such a mapping;
    raises what it raises.
    """
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid, use_slave=True)
    known: set[str] = set()
    if any(_went_before(bdm, instance) and bdm.attachment_id for bdm in bdms):
        known = {attachment.id for attachment in host.volumes.attachments(context, instance.uuid)}
    return [bdm for bdm in bdms if not _went_before(bdm, instance) or bdm.attachment_id in known]


def _went_before(bdm: Any, instance: Any) -> bool:
    """Whether a mapping was removed before its instance was; when nobody knows, it may have been."""
    if bdm.deleted_at is None:
        return False
    return bool(instance.deleted_at is None or bdm.deleted_at < instance.deleted_at)
