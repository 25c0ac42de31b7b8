"""The first leg, on the destination: is there room? Then the source is told to send the disks."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import MigrationStatus
from computed.steps import moves, overtaken, resizing
from computed.steps.announce import announce, announce_exists
from computed.steps.erring import erring
from computed.steps.failure_lines import leg, tell
from computed.steps.faults import record_fault
from computed.steps.group_policy import check_group_policy, group_hint
from computed.steps.patience import patiently

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_GONE = (errors.InstanceNotFound, errors.MigrationNotFound)
_NOT_BEGUN: Final = (MigrationStatus.ACCEPTED, MigrationStatus.QUEUED, MigrationStatus.PRE_MIGRATING)


@dataclass(frozen=True)
class _Order:
    """What the conductor asked for."""

    instance: Any
    flavor: Any
    image: Mapping[str, Any]
    request_spec: Any
    filter_properties: dict[str, Any]
    nodename: str
    clean_shutdown: bool
    migration: Any
    host_list: Any


@leg(
    "room at the destination",
    "the guest is where it was: mend the cause, then resize or migrate it again",
)
def prep_resize(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    image: Mapping[str, Any],
    instance: Any,
    flavor: Any,
    request_spec: Any,
    filter_properties: dict[str, Any] | None,
    node: str | None,
    clean_shutdown: bool,
    migration: Any,
    host_list: Any,
) -> None:
    """Hold room here for an instance that is resized or moved, and have its host send it.

    What fails goes back to the conductor for another host if it may be tried again, else it is raised and
    the instance is in ERROR, or as before when nothing has happened to it. An order that comes twice, however
    late, changes nothing.
    """
    if migration is None:
        raise errors.MigrationError(reason="a resize came without its migration record")
    if _has_come_before(host, context, instance, migration):
        LOG.info("Migration %s of instance %s was ordered again", migration.uuid, instance.uuid)
        return
    order = _Order(
        instance=instance,
        flavor=flavor,
        image=image or {},
        request_spec=request_spec,
        filter_properties=filter_properties or {},
        nodename=node or min(host.tracker.nodenames(), default=""),
        clean_shutdown=clean_shutdown,
        migration=migration,
        host_list=host_list,
    )
    with erring(host, instance, back_to=instance.vm_state):
        try:
            _prepare(host, context, order)
        except Exception:
            resizing.fail_migration(host, migration)
            raise


def _has_come_before(host: ComputeHost, context: Any, instance: Any, migration: Any) -> bool:
    """Whether this host was asked before. The conductor asks no host twice, even when it sends a resize on.

    The record is read only when a process before this one may have been asked: it costs every resize a call.
    """
    is_new = host.prepared.add(migration.uuid)
    if not is_new or host.tracker.expects(instance.uuid, migration.uuid):
        return True
    created_at = migration.created_at if migration.obj_attr_is_set("created_at") else None
    # Records are dated in whole seconds.
    if created_at is not None and created_at >= host.began_at.replace(microsecond=0):
        return False
    try:
        known = patiently(
            f"Looking at migration {migration.uuid}",
            lambda is_repeated: objects.Migration.get_by_id(context, migration.id),
            stopping=host.stopping,
        )
    except Exception as error:
        # Whatever it is, the first save meets it again, and all that is held is given back then.
        LOG.info("Migration %s could not be looked at: %s", migration.uuid, error)
        return False
    return known.status not in _NOT_BEGUN


def _prepare(host: ComputeHost, context: Any, order: _Order) -> None:
    announce_exists(host, context, order.instance)
    _announce(host, context, order, "start")
    try:
        _claim_and_send(host, context, order)
    except Exception as error:
        _take_back(host, context, order)
        if isinstance(error, errors.BuildAbortException) or not _reschedule(host, context, order, error):
            raise
    finally:
        size = {"new_instance_type": order.flavor.name, "new_instance_type_id": order.flavor.id}
        _announce(host, context, order, "end", extra=size)


def _claim_and_send(host: ComputeHost, context: Any, order: _Order) -> None:
    instance, migration, flavor = order.instance, order.migration, order.flavor
    if not instance.host:
        raise errors.MigrationError(reason=f"instance {instance.uuid} is on no host")
    _refuse_what_changes_nothing(host, instance, flavor)
    hint = group_hint(order.request_spec, order.filter_properties)
    try:
        check_group_policy(host, context, instance, hint)
    except errors.GroupAffinityViolation as error:
        raise errors.InstanceFaultRollback(error) from error
    instance.load("numa_topology", "pci_requests", "pci_devices", "resources", "flavor", "system_metadata")
    limits = order.filter_properties.get("limits")
    with host.tracker.resize_claim(instance, flavor, order.nodename, migration, limits=limits) as claim:
        moves.begin(host, instance, migration, claim)
        # These go with the instance to its host, which saves them together with the next task state.
        instance.new_flavor = flavor
        instance.system_metadata[resizing.OLD_VM_STATE] = instance.vm_state
        # From now on the last leg may come at any moment.
        host.arrivals.expect(instance.uuid)
        _send(host, context, order)


def _refuse_what_changes_nothing(host: ComputeHost, instance: Any, flavor: Any) -> None:
    """Raise InstanceFaultRollback for a move from this host to this host, unless the driver likes that."""
    is_same = instance.host == host.name and flavor.id == instance.instance_type_id
    if is_same and not host.driver.capabilities.get("supports_migrate_to_same_host", False):
        raise errors.InstanceFaultRollback(
            errors.UnableToMigrateToSelf(instance_id=instance.uuid, host=host.name)
        )


def _send(host: ComputeHost, context: Any, order: _Order) -> None:
    instance = order.instance
    LOG.info("Instance %s comes from %s, migration %s", instance.uuid, instance.host, order.migration.uuid)
    patiently(
        f"Telling {instance.host} to send instance {instance.uuid}",
        lambda is_repeated: host.computes.resize_instance(
            context,
            instance.host,
            instance=instance,
            migration=order.migration,
            image=dict(order.image),
            flavor=order.flavor,
            clean_shutdown=order.clean_shutdown,
            request_spec=order.request_spec,
        ),
        stopping=host.stopping,
    )


def _take_back(host: ComputeHost, context: Any, order: _Order) -> None:
    """The claim is gone; give back the allocations, and what the instance was told of its resize."""
    host.arrivals.end(order.instance.uuid)
    resizing.forget(order.instance)
    order.instance.migration_context = None
    resizing.try_return_allocation(host, context, order.instance, order.migration)
    overtaken.settle(host, context, order.instance, order.migration)


def _reschedule(host: ComputeHost, context: Any, order: _Order, error: Exception) -> bool:
    """Hand the resize back to the conductor, if it may be tried again; whether that was done.

    The migration stays pre-migrating: by that the conductor knows it again.
    """
    retry = order.filter_properties.get("retry")
    if not retry or isinstance(error, _GONE):
        return False
    cause = getattr(error, "inner_exception", None) or error
    retry["exc"] = traceback.format_exception_only(cause)
    try:
        patiently(
            f"Sending the resize of instance {order.instance.uuid} back",
            lambda is_repeated: host.compute_tasks.resize_instance(
                context,
                instance=order.instance,
                scheduler_hint={"filter_properties": order.filter_properties},
                flavor=order.flavor,
                clean_shutdown=order.clean_shutdown,
                request_spec=order.request_spec,
                host_list=order.host_list,
            ),
            stopping=host.stopping,
        )
    except Exception as failure:
        LOG.error(
            "The resize of instance %s could not be sent back to the conductor: %s",
            order.instance.uuid,
            failure,
        )
        _tell(host, context, order, failure)
        return False
    what = f"Migration {order.migration.uuid} of instance {order.instance.uuid}"
    tell(what, "room at the destination", cause, "it is tried on another host")
    _tell(host, context, order, cause)
    return True


def _tell(host: ComputeHost, context: Any, order: _Order, error: Exception) -> None:
    record_fault(host, context, order.instance, error)
    announce(host, context, order.instance, "resize", "error", exception=error)


def _announce(host: ComputeHost, context: Any, order: _Order, phase: str, **details: Any) -> None:
    payload = {"new_flavor": order.flavor}
    announce(host, context, order.instance, "resize_prep", phase, payload=payload, **details)
