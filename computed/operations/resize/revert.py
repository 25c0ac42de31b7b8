"""The owner wants the old host or size back: the destination removes its guest, the source starts its own."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.states import MigrationStatus, TaskState, VmState
from computed.steps import network, overtaken, resizing, shares, volumes
from computed.steps.announce import announce_exists, announced
from computed.steps.erring import erring
from computed.steps.failure_lines import leg
from computed.steps.guest import PARTS, doomed_guest, known_guest
from computed.steps.patience import insistently, patiently
from computed.steps.plugging import awaiting_plugs
from computed.steps.power import power_state
from computed.steps.records import advance, save, set_migration_status
from computed.steps.removal import publish
from computed.steps.shared_storage import is_shared

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


@leg(
    "leaving the destination",
    "the instance is still this host's: mend the cause and hard-reboot it",
)
def revert_resize(
    host: ComputeHost, context: RequestContext, *, instance: Any, migration: Any, request_spec: Any = None
) -> None:
    """On the destination: remove the guest, and have the source start its own again.

    A message that comes twice changes nothing.
    """
    try:
        with erring(host, instance, back_to=VmState.ACTIVE):
            if _is_wanted(host, context, instance, migration):
                _revert(host, context, instance, migration, request_spec)
    except Exception:
        if not overtaken.settle(host, context, instance, migration):
            # There is no way back any more, so nothing is to be held for it.
            resizing.try_drop_allocation(host, context, instance, migration)
        raise


def _revert(host: ComputeHost, context: Any, instance: Any, migration: Any, request_spec: Any) -> None:
    instance.load(*PARTS, "migration_context", "numa_topology", "pci_devices", "pci_requests", "resources")
    announce_exists(host, context, instance)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    is_same_host = migration.source_compute == host.name
    keeps = is_same_host or is_shared(host, context, instance, migration.source_compute)
    host.driver.destroy(context.elevated(), doomed_guest(instance, bdms), destroy_disks=not keeps)
    shares.leave(host, context, instance, migration)
    volumes.park(host, context, instance, bdms)
    instance.revert_migration_context()
    advance(host, instance, "revert")
    set_migration_status(host, migration, MigrationStatus.REVERTED)
    if not is_same_host:
        host.tracker.release(instance)
        publish(host, context, migration.dest_node)
        host.scheduler.delete_instance_info(context.elevated(), instance.uuid)
    patiently(
        f"Telling {migration.source_compute} to take instance {instance.uuid} back",
        lambda is_repeated: host.computes.finish_revert_resize(
            context,
            migration.source_compute,
            instance=instance,
            migration=migration,
            request_spec=request_spec,
        ),
        stopping=host.stopping,
    )


def _is_wanted(host: ComputeHost, context: Any, instance: Any, migration: Any) -> bool:
    """Whether the record still says that the instance is here and is to go back: the guest is removed
    before anything is saved, so a message that comes late must not get that far."""
    try:
        record = objects.Instance.get_by_uuid(context, instance.uuid, expected_attrs=[])
    except errors.InstanceNotFound:
        LOG.info("Instance %s is gone, nothing is reverted", instance.uuid)
        return False
    if record.task_state == TaskState.RESIZE_REVERTING and record.host == host.name:
        known = objects.Migration.get_by_id(context, migration.id)
        if known.status != MigrationStatus.REVERTED:
            return True
    LOG.info(
        "Instance %s is %s on %s, nothing is reverted here", instance.uuid, record.task_state, record.host
    )
    return False


@leg(
    "start at the source",
    "the instance is this host's again: mend the cause and hard-reboot it",
)
def finish_revert_resize(
    host: ComputeHost, context: RequestContext, *, instance: Any, migration: Any, request_spec: Any = None
) -> None:
    """On the source: the instance is here again, as large as it was, and runs if it ran before.

    A message that comes twice changes nothing.
    """
    try:
        with erring(host, instance, back_to=VmState.ACTIVE):
            instance.load(*PARTS)
            if _begin(host, context, instance, migration):
                _take_back(host, context, instance, migration)
    except Exception:
        if not overtaken.settle(host, context, instance, migration, is_made_here=True):
            # It is here, broken as it is, and nowhere else.
            resizing.try_return_allocation(host, context, instance, migration)
            resizing.try_bind(host, context, instance, migration)
            resizing.save_forgotten(host, instance)
        raise


def _begin(host: ComputeHost, context: Any, instance: Any, migration: Any) -> bool:
    """Record that the instance is here, as it was; False when somebody has done so before."""
    if instance.old_flavor is not None:
        resizing.take_flavor(instance, instance.old_flavor)
    # Also on the same host something plain must change, or the conductor does not look at the task state.
    try:
        advance(
            host,
            instance,
            "revert",
            host=host.name,
            node=migration.source_node,
            compute_id=resizing.compute_id(host, context, migration.source_node),
            launched_at=timeutils.utcnow(with_timezone=True),
        )
    except errors.UnexpectedDeletingTaskStateError:
        raise
    except errors.UnexpectedTaskStateError as error:
        LOG.info("Instance %s is not taken back, it is in other hands: %s", instance.uuid, error)
        return False
    return True


def _take_back(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    was_stopped = resizing.was(instance) == VmState.STOPPED
    resizing.return_allocation(host, context, instance, migration)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    bdms = resizing.adapt_swap(host, context, instance, bdms, old=instance.new_flavor, new=instance.flavor)
    with announced(host, context, instance, "resize_revert", bdms=bdms):
        with awaiting_plugs(host, instance) as plugging:
            _bind(host, context, instance, migration)
            resizing.connect_volumes(host, context, instance, bdms)
            spec = replace(
                known_guest(instance, bdms, shares.of(host, context, instance)), power_on=not was_stopped
            )
            host.driver.finish_revert_migration(context, plugging.ordered(spec), migration)
            plugging.wait()
        volumes.complete(host, context, instance, bdms)
        _record(host, context, instance, was_stopped=was_stopped)
        host.tracker.stays(instance, instance.node)
        publish(host, context, instance.node)
        host.scheduler.update_instance_info(context.elevated(), objects.InstanceList(objects=[instance]))


def _bind(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """Bring the ports back. Nobody says who serves them here: no scheduler was asked, so the request spec has
    only what they ask for."""
    providers = network.providers_held(host, context, instance)
    with network.cache_lock(host, instance):
        network_info = insistently(
            f"Binding the ports of instance {instance.uuid}",
            lambda: host.network.bind_to_host(
                context,
                instance,
                host=host.name,
                migration=migration,
                providers=providers,
            ),
            stopping=host.stopping,
        )
        network.remember(instance, network_info)


def _record(host: ComputeHost, context: Any, instance: Any, *, was_stopped: bool) -> None:
    """The instance is what it was: active, or stopped by a stop of its own, as its history shows."""
    resizing.forget(instance)
    changes: dict[str, Any] = {"migration_context": None, "power_state": power_state(host, instance)}
    if not was_stopped:
        advance(host, instance, "revert_done", vm_state=VmState.ACTIVE, **changes)
        return
    for name, value in changes.items():
        setattr(instance, name, value)
    instance.task_state = TaskState.POWERING_OFF
    save(host, instance, expected=[TaskState.RESIZE_REVERTING])
    host.own_calls("stop_instance", context, instance=instance, clean_shutdown=True)
