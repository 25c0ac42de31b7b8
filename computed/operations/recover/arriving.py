"""Evacuations to this host that a crash of it has interrupted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.operations.recover.lane import Start, fail, in_lane
from computed.states import REBUILDING_STATES, MigrationStatus, MigrationType, VmState
from computed.steps import moves, network, volume_release
from computed.steps.guest import doomed_guest
from computed.steps.power import has_guest
from computed.steps.shared_storage import is_shared

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

# Contract: nova 34 looks for evacuations of these statuses at start.
UNDER_WAY: Final = [str(MigrationStatus.ACCEPTED), str(MigrationStatus.PRE_MIGRATING)]
_PARTS: Final = ["flavor", "info_cache", "metadata", "migration_context", "system_metadata"]
_WHY: Final = "its evacuation to this host was interrupted"


def end_arrivals(start: Start, migrations: Sequence[Any]) -> None:
    """End evacuations: well, if the server lives here already, else with a fault and everything given back.

    Those that are only accepted may still wait for us in the message bus, so they are looked at again.
    """
    for migration in migrations:
        if migration.status == MigrationStatus.ACCEPTED:
            work = partial(_end_accepted, start, migration)
            start.second_look.add(_lane(migration), migration.instance_uuid, work)
        else:
            # A server that lives here has a lane of its own for the rest of its recovery.
            start.host.lanes.start(_lane(migration), partial(_end_one, start, migration))


def _lane(migration: Any) -> str:
    return f"evacuation-{migration.instance_uuid}"


def _end_accepted(start: Start, migration: Any) -> None:
    start.context.update_store()
    try:
        found = objects.Migration.get_by_id(start.context, migration.id)
    except Exception as error:
        LOG.warning("Migration %s is left as it is: %s", migration.uuid, error)
        return
    if found.status == MigrationStatus.ACCEPTED:
        _end_one(start, found)


def _end_one(start: Start, migration: Any) -> None:
    start.context.update_store()
    try:
        instance = objects.Instance.get_by_uuid(start.context, migration.instance_uuid, expected_attrs=_PARTS)
    except errors.InstanceNotFound:
        LOG.info("Instance %s was deleted before its evacuation ended", migration.instance_uuid)
        moves.end(start.host, migration, MigrationStatus.FAILED)
        return
    in_lane(start, instance, lambda: _end(start.host, start.context, migration, instance))


def _end(host: ComputeHost, context: RequestContext, migration: Any, instance: Any) -> None:
    if instance.host == host.name:
        LOG.warning("Instance %s has come here by evacuation; that is recorded now", instance.uuid)
        if migration.status != MigrationStatus.ACCEPTED:
            # Of one that nobody has begun nothing is left; what there is, is of a later move.
            bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
            volume_release.leave_elsewhere(host, context, instance, bdms, ())
            moves.drop_context(host, instance, migration)
        moves.end(host, migration, MigrationStatus.DONE)
        return
    is_moving = instance.task_state is not None or instance.vm_state == VmState.RESIZED
    if instance.host != migration.source_compute and is_moving:
        # What is here may be for its way back. The next start looks again.
        LOG.info("Instance %s has gone on since its evacuation to here, and is moved", instance.uuid)
        return
    LOG.warning("Instance %s: %s", instance.uuid, _WHY)
    if has_guest(host, instance) or host.driver.has_disks_of(instance):
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
        keeps_disks = is_shared(host, context, instance, instance.host)
        host.driver.destroy(context, doomed_guest(instance, bdms), destroy_disks=not keeps_disks)
    is_overtaken = _is_overtaken(context, migration, instance)
    if not is_overtaken:
        _return_ports(host, context, instance)
        moves.drop_context(host, instance, migration)
    moves.end(host, migration, MigrationStatus.FAILED)
    for root in host.driver.node_uuids().values():
        host.placement.remove_tree_from_allocations(context, instance.uuid, root)
    if instance.task_state in REBUILDING_STATES and not is_overtaken:
        fail(host, context, instance, _WHY)


def _is_overtaken(context: RequestContext, migration: Any, instance: Any) -> bool:
    """Whether another host has the server since, or is taking it over: then its ports, its migration context
    and its states are that host's."""
    if instance.host != migration.source_compute:
        return True
    if instance.task_state not in REBUILDING_STATES:
        return False
    filters = {
        "instance_uuid": instance.uuid,
        "migration_type": str(MigrationType.EVACUATION),
        "status": UNDER_WAY,
    }
    return any(each.id > migration.id for each in objects.MigrationList.get_by_filters(context, filters))


def _return_ports(host: ComputeHost, context: RequestContext, instance: Any) -> None:
    try:
        providers = network.providers_held(host, context, instance, is_elsewhere=True)
        host.network.bind_to_host(context, instance, host=instance.host, providers=providers)
    except Exception as error:
        LOG.warning("The ports of instance %s may still be bound to this host: %s", instance.uuid, error)
