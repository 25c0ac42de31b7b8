"""Servers that were evacuated from this host while it was away: cleaned up here, but only after proof."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from computed import errors, objects
from computed.operations.recover.arriving import UNDER_WAY, end_arrivals
from computed.operations.recover.lane import Start, in_lane, recover
from computed.states import MigrationStatus, MigrationType, TaskState, VmState
from computed.steps import moves
from computed.steps.guest import doomed_guest
from computed.steps.power import has_guest, power_state
from computed.steps.shared_storage import is_shared

LOG = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS: Final = 10.0
"""How soon an evacuation that goes on elsewhere is looked at again."""

_LOOKED_FOR: Final = [*UNDER_WAY, str(MigrationStatus.DONE)]
_PARTS: Final = ["flavor", "info_cache", "metadata", "system_metadata"]
# What comes back to here by a move of its own must not be taken for what was left behind.
_ON_THE_MOVE: Final = frozenset(
    {
        TaskState.MIGRATING,
        TaskState.REBUILDING,
        TaskState.REBUILD_BLOCK_DEVICE_MAPPING,
        TaskState.REBUILD_SPAWNING,
        TaskState.RESIZE_PREP,
        TaskState.RESIZE_MIGRATING,
        TaskState.RESIZE_MIGRATED,
        TaskState.RESIZE_FINISH,
        TaskState.RESIZE_REVERTING,
        TaskState.SPAWNING,
        TaskState.UNSHELVING,
    }
)


def settle_evacuations(start: Start) -> frozenset[str]:
    """Begin the clean-up after evacuations from here, and the end of those to here that a crash has
    interrupted; returns the servers that a start must not touch.

    One conductor call, and one more when there are any. Evacuations that go on elsewhere are looked at
    again until they have ended.
    """
    if not start.host.driver.capabilities.get("supports_evacuate", False):
        return frozenset()
    migrations = _evacuations(start)
    name = start.host.name
    end_arrivals(
        start, [each for each in migrations if each.dest_compute == name and each.status in UNDER_WAY]
    )
    return _settle_departures(start, [each for each in migrations if each.source_compute == name])


def _evacuations(start: Start) -> list[Any]:
    """The evacuations that this host has to do with, the latest of each server."""
    latest: dict[str, Any] = {}
    for migration in sorted(_find(start), key=lambda each: each.id):
        latest[migration.instance_uuid] = migration
    return list(latest.values())


def _find(start: Start, **more: str) -> list[Any]:
    """Evacuations from here or to here that are not over, and to which `more` filters apply."""
    filters = {
        "host": start.host.name,
        "status": _LOOKED_FOR,
        "migration_type": str(MigrationType.EVACUATION),
        **more,
    }
    return list(objects.MigrationList.get_by_filters(start.context.elevated(read_deleted="yes"), filters))


def _settle_departures(start: Start, migrations: Sequence[Any]) -> frozenset[str]:
    if not migrations:
        return frozenset()
    uuids = sorted(each.instance_uuid for each in migrations)
    listed = objects.InstanceList.get_by_filters(start.context, {"uuid": uuids}, expected_attrs=_PARTS)
    instances = {instance.uuid: instance for instance in listed}
    away, waiting = set(), []
    for migration in migrations:
        instance = instances.get(migration.instance_uuid)
        if instance is None:
            # Deleted: whoever deleted it gave back what it held, and a guest of it is not an evacuated one.
            continue
        if _has_left(start, migration, instance):
            away.add(instance.uuid)
            start.host.lanes.start(instance.uuid, partial(_clean_up, start, migration, instance))
        elif migration.status in UNDER_WAY or _is_moving_here(start, instance):
            LOG.warning("Instance %s is being evacuated: it is left to its new host", instance.uuid)
            away.add(instance.uuid)
            waiting.append(migration)
        # Else it has come back since, and is a server like any other.
    if waiting:
        _look_later(start, waiting)
    return frozenset(away)


def _has_left(start: Start, migration: Any, instance: Any) -> bool:
    """Whether the record proves that what this host has of the server is nobody's.

    The migration need not be done: of two orders to evacuate a server stock's conductor may follow one and
    name the record of the other, which then stays as it is. Of a server that has been resized since, this
    host may hold the disks for the way back.
    """
    is_offloaded = instance.host is None and instance.vm_state == VmState.SHELVED_OFFLOADED
    is_elsewhere = instance.host not in (None, start.host.name) or is_offloaded
    if not is_elsewhere or _is_moving_here(start, instance):
        return False
    is_settled = instance.task_state is None and instance.vm_state != VmState.RESIZED
    return migration.status not in UNDER_WAY or is_settled


def _is_moving_here(start: Start, instance: Any) -> bool:
    return instance.host != start.host.name and instance.task_state in _ON_THE_MOVE


def _look_later(start: Start, waiting: Sequence[Any]) -> None:
    timer = threading.Timer(LOOK_AGAIN_SECONDS, _look_again, (start, waiting))
    timer.daemon = True
    timer.start()


def _look_again(start: Start, waiting: Sequence[Any]) -> None:
    """See what has become of evacuations that were under way."""
    if start.host.stopping.is_set():
        return
    start.context.update_store()
    try:
        latest = {each.id: objects.Migration.get_by_id(start.context, each.id) for each in waiting}
        _settle_departures(start, [each for each in latest.values() if each.status in _LOOKED_FOR])
        failed = [each for each in latest.values() if each.status not in _LOOKED_FOR]
    except Exception as error:
        LOG.warning("Evacuations from here cannot be looked at now: %s", error)
        _look_later(start, waiting)
        return
    for migration in failed:
        _recover_the_left(start, migration)


def _recover_the_left(start: Start, migration: Any) -> None:
    """An evacuation has failed: the server is this host's, as it was before."""
    try:
        instance = objects.Instance.get_by_uuid(
            start.context, migration.instance_uuid, expected_attrs=[*_PARTS, "numa_topology"]
        )
        if instance.host == start.host.name:
            guest = power_state(start.host, instance)
            start.host.lanes.start(instance.uuid, partial(recover, start, instance, guest or None))
    except errors.InstanceNotFound:
        LOG.info("Instance %s is gone", migration.instance_uuid)
    except Exception as error:
        LOG.warning("Instance %s is left as it is: %s", migration.instance_uuid, error)


def _clean_up(start: Start, migration: Any, instance: Any) -> None:
    in_lane(start, instance, lambda: _remove_what_was_left(start, migration, instance), reads_anew=True)


def _remove_what_was_left(start: Start, migration: Any, instance: Any) -> None:
    """The guest, its disks unless its new host sees them too, and what placement holds of this host.

    The proof that they are nobody's is read just now. A hypervisor that cannot be read raises, and all stays.
    """
    host, context = start.host, start.context
    instance.refresh()
    if not _has_left(start, migration, instance):
        LOG.info("Instance %s is perhaps coming back: it is not cleaned up yet", instance.uuid)
        _look_later(start, [migration])
        return
    if has_guest(host, instance) or host.driver.has_disks_of(instance):
        LOG.warning(
            "Instance %s was evacuated and is on %s now: what is left here is removed",
            instance.uuid,
            instance.host or "no host, as it is shelved",
        )
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
        # Of one that is shelved nobody has disks; they are in its image.
        keeps_disks = instance.host is not None and is_shared(host, context, instance, instance.host)
        host.driver.destroy(context, doomed_guest(instance, bdms), destroy_disks=not keeps_disks)
    root = host.driver.node_uuids().get(migration.source_node)
    if root is None:
        LOG.error(
            "Instance %s keeps its allocation on node %s, which this host does not have",
            instance.uuid,
            migration.source_node,
        )
        return
    host.placement.remove_tree_from_allocations(context, instance.uuid, root)
    for each in _find(start, instance_uuid=instance.uuid):
        # One left open would speak against the server when it is here again.
        if each.source_compute == host.name:
            moves.end(host, each, MigrationStatus.COMPLETED)
