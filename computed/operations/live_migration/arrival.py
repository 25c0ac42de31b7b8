"""A live migration as its destination sees it: make ready, receive the guest, or take it all back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.lib.undo import UndoStack, undo_on_error
from computed.operations.live_migration.checks import node_for
from computed.states import EDGES, Edge, MigrationType, VmState
from computed.steps import live_migration as shared
from computed.steps import network, volumes
from computed.steps.announce import announce, announced
from computed.steps.group_policy import check_own_group
from computed.steps.guest import PARTS, doomed_guest, known_guest
from computed.steps.patience import insistently
from computed.steps.power import power_state
from computed.steps.records import advance

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


# Before


def pre_live_migration(
    host: ComputeHost, context: RequestContext, *, instance: Any, disk: str | None, migrate_data: Any
) -> Any:
    """Make everything ready for the guest to come: room, volumes, interfaces. Answers the data, filled in.

    On failure nothing of it is left. Raises GroupAffinityViolation, ComputeResourcesUnavailable,
    what steps.volumes and the driver raise.
    """
    instance.load(*PARTS)
    check_own_group(host, context, instance)
    migration = shared.value_of(migrate_data, "migration")
    with undo_on_error() as undo:
        nodename = node_for(host, migration)
        claim = host.tracker.live_migration_claim(instance, nodename, migration)
        undo.push("give the claim back", claim.abort)
        bdms = shared.read_bdms(context, instance, migrate_data)
        told = {"bdms": bdms, "network_info": network.cached(instance)}
        announce(host, context, instance, "live_migration_pre", "start", **told)
        migrate_data.old_vol_attachment_ids = {
            bdm.volume_id: bdm.attachment_id for bdm in volumes.volume_bdms(bdms) if bdm.attachment_id
        }
        volumes.move_here(host, context, instance, bdms, undo)
        data = _prepare(host, context, known_guest(instance, bdms), disk, migrate_data, undo)
        undo.push(
            "tell the network that nobody comes", lambda: host.network.unmark_migrating(context, instance)
        )
        host.network.mark_migrating(context, instance, host=host.name)
        volumes.complete(host, context, instance, bdms)
        announce(host, context, instance, "live_migration_pre", "end", **told)
        claim.settle()
    host.arrivals.expect(instance.uuid)
    return data


def _prepare(host: ComputeHost, context: Any, spec: Any, disk: str | None, data: Any, undo: UndoStack) -> Any:
    data = host.driver.prepare_live_migration(context, spec, disk, data)
    _, destroy_disks = shared.clean_up_flags(data)
    undo.push(
        "take back what was made ready",
        lambda: host.driver.take_back_at_destination(context, spec, data, destroy_disks=destroy_disks),
    )
    # The source waits for the network only where the destination wants that, and where the ports
    # were bound to this host beforehand: otherwise nothing is plugged yet.
    has_bindings = bool(shared.value_of(data, "vifs"))
    data.wait_for_vif_plugged = has_bindings and host.conf.compute.live_migration_wait_for_vif_plug
    return data


# After


def post_live_migration_at_destination(
    host: ComputeHost, context: RequestContext, *, instance: Any, block_migration: bool | None
) -> None:
    """The guest runs here: its ports, its record, what the others know of it.

    Whatever fails, the record says where the guest is; the instance is in ERROR then. Raises what failed.
    """
    try:
        _receive(host, context, instance, block_migration)
    finally:
        host.arrivals.end(instance.uuid)


def _receive(host: ComputeHost, context: Any, instance: Any, block_migration: bool | None) -> None:
    instance.load(*PARTS)
    came_from = instance.host
    failure = None
    try:
        _bind(host, context, instance, came_from)
    except Exception as error:
        LOG.error("Instance %s has come, but not its ports: %s", instance.uuid, error)
        failure = error
    network_info = network.cached(instance)
    announce(host, context, instance, "live_migration_post_dest", "start", network_info=network_info)
    try:
        spec = known_guest(instance, ())
        host.driver.receive_guest(context, spec, block_migration=block_migration)
    except Exception as error:
        LOG.error("Instance %s has come, but the hypervisor does not keep it: %s", instance.uuid, error)
        failure = failure or error
    shared.delete_bindings(host, context, instance, came_from)
    _record(host, context, instance, is_whole=failure is None)
    if failure is not None:
        raise failure
    host.scheduler.update_instance_info(context.elevated(), objects.InstanceList(objects=[instance]))
    announce(host, context, instance, "live_migration_post_dest", "end", network_info=network_info)


def _bind(host: ComputeHost, context: Any, instance: Any, came_from: str) -> None:
    """Bind the ports that are not bound to this host yet; what comes of it goes with the next save."""
    move = objects.Migration(
        source_compute=came_from,
        dest_compute=host.name,
        migration_type=str(MigrationType.LIVE_MIGRATION),
    )
    with network.cache_lock(host, instance):
        network_info = insistently(
            f"Binding the ports of instance {instance.uuid}",
            lambda: host.network.bind_to_host(context, instance, host=host.name, migration=move),
            stopping=host.stopping,
        )
        network.remember(instance, network_info)


def _record(host: ComputeHost, context: Any, instance: Any, *, is_whole: bool) -> None:
    """Write down that the instance lives here, and make its room its own."""
    nodename = node_for(host, None)
    node = host.tracker.compute_node(nodename)
    edge = EDGES["live_migration_done"]
    if not is_whole:
        edge = Edge(edge.expected, None, VmState.ERROR)
    changes = {
        "host": host.name,
        "node": nodename,
        "compute_id": node.id,
        "power_state": power_state(host, instance),
        "progress": 0,
    }
    try:
        try:
            advance(host, instance, edge, **changes)
        except errors.UnexpectedDeletingTaskStateError:
            raise
        except errors.UnexpectedTaskStateError as error:
            # Somebody has reset the state; where the guest is stays true.
            LOG.warning("Instance %s: %s; its host is recorded all the same", instance.uuid, error)
            advance(host, instance, Edge((), None, edge.vm_state), **changes)
    except (errors.InstanceNotFound, errors.UnexpectedDeletingTaskStateError):
        LOG.info("Instance %s was deleted while it was coming: its guest goes too", instance.uuid)
        host.driver.destroy(context, doomed_guest(instance, ()))
        host.tracker.release(instance)
        raise
    host.tracker.arrive(instance, nodename)


# Back


def rollback_live_migration_at_destination(
    host: ComputeHost, context: RequestContext, *, instance: Any, destroy_disks: bool, migrate_data: Any
) -> None:
    """The guest does not come: remove what was made ready for it. Its volumes are disconnected already.

    A message that comes late, when the guest has come by another migration, changes nothing.
    """
    if _lives_here(host, context, instance):
        return
    told = {"network_info": network.cached(instance)}
    with announced(host, context, instance, "live_migration_rollback_dest", **told):
        try:
            shared.take_ports_back(host, context, instance, host.name)
            spec = doomed_guest(instance, ())
            host.driver.take_back_at_destination(context, spec, migrate_data, destroy_disks=destroy_disks)
        finally:
            give_up_room(host, instance)


def drop_move_claim_at_destination(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """The guest does not come, and its files, which both hosts see, stay: what is this host's alone goes.

    That is its room, and the interfaces that were made ready. Volumes are disconnected by
    remove_volume_connection, bindings deleted by the source.
    """
    if _lives_here(host, context, instance):
        return
    try:
        spec = doomed_guest(instance, ())
        host.driver.take_back_at_destination(context, spec, None, destroy_disks=False)
    finally:
        give_up_room(host, instance)


def _lives_here(host: ComputeHost, context: Any, instance: Any) -> bool:
    """Whether the record, and not only the message, says that the instance is on this host; one that is gone
    is not. Raises when it cannot be read: nothing is taken from what may be running here."""
    try:
        record = insistently(
            f"Looking where instance {instance.uuid} is",
            lambda: objects.Instance.get_by_uuid(context, instance.uuid, expected_attrs=[]),
            stopping=host.stopping,
            final=(errors.InstanceNotFound,),
        )
    except errors.InstanceNotFound:
        return False
    if record.host != host.name:
        return False
    LOG.warning("Instance %s has come by now: what it has here stays", instance.uuid)
    return True


def give_up_room(host: ComputeHost, instance: Any) -> None:
    """Nothing is held on this host for an instance that does not come."""
    for nodename in host.tracker.nodenames():
        host.tracker.drop_move_claim(instance, nodename)
    host.arrivals.end(instance.uuid)
