"""What the records say about who is on a node: read in a fixed number of calls, summed up purely."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from computed import objects
from computed.objects.base import if_set
from computed.resources.ledger import Entry, Key
from computed.resources.usage import InstanceState, flavor_usage
from computed.states import (
    REBUILDING_STATES,
    RESIZING_STATES,
    MigrationStatus,
    MigrationType,
    TaskState,
    VmState,
    holds_resources,
)

_DETAILS = ("flavor", "migration_context")
_NUMA_DETAILS = ("numa_topology", "resources")
_ASK_AGAIN_SECONDS = 300.0
_READ_ALL_AGAIN_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Records:
    """Instances and migrations of one node as they were read.

    `details`: instances with their flavors, by uuid: those whose amounts are not known yet, and those that
    move, wherever they are. `volume_backed`: whether the root disk of such an instance is a volume.
    `unasked`: migrations whose instance was not looked at this time, nothing being new about them.
    `is_unread`: the same instances are here as the last time, so `instances` was left empty. `placeless`:
    those of the whole host that hold no place, or are on a node that is not known.
    """

    instances: Sequence[Any] = ()
    migrations: Sequence[Any] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    volume_backed: Mapping[str, bool] = field(default_factory=dict)
    unasked: frozenset[str] = frozenset()
    is_unread: bool = False
    placeless: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """Whose records: the host and the name of the node."""

    host: str
    nodename: str


@dataclass(frozen=True, slots=True)
class _Asked:
    changed_at: Any
    asked_at: float


@dataclass(frozen=True, slots=True)
class _Overview:
    """What the last reading of all instances saw, beside what the ledgers remember of it."""

    nodenames: frozenset[str]
    moves: frozenset[tuple[str, str]]
    placeless: frozenset[str]
    read_at: float


class RecordReader:
    """Reads the records of a host's nodes; the number of calls does not depend on that of the instances.

    Two calls for one node when nothing is new there (each further node adds one), and no more to decode
    than the uuids of the instances: their records are read when others are here, when a migration begins or
    ends, and once an hour. One more call when instances are new or on the move, another when one of them is
    hidden, and one more when it is not known whether the root disk of a new one is local.
    """

    def __init__(
        self, host: str, *, with_numa: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._clock = clock
        self._failed_moves: dict[str, _Asked] = {}
        self._overview: _Overview | None = None
        self._attributes = [*_DETAILS, *(_NUMA_DETAILS if with_numa else ())]

    def read(self, context: Any, known: Mapping[str, Mapping[Key, Entry]]) -> dict[str, Records]:
        """Records by node name. `known` gives, for each node to read, what its ledger holds now.

        Raises what the conductor's answer raises; nothing has changed then.
        """
        uuids = None
        if self._overview is not None:
            uuids = frozenset(objects.InstanceList.get_uuids_by_host(context, self._host))
        migrations = {
            name: list(objects.MigrationList.get_in_progress_and_error(context, self._host, name))
            for name in known
        }
        every_migration = [migration for listed in migrations.values() for migration in listed]
        moves = frozenset((each.uuid, each.status) for each in every_migration)
        overview = self._still_true(known, uuids, moves)
        instances: Mapping[str | None, Sequence[Any]] = dict.fromkeys(known, ())
        if overview is None:
            instances = self._instances(context, known)
        unasked = self._nothing_new(every_migration)
        moving = {each.instance_uuid for each in every_migration if each.uuid not in unasked}
        details = self._details(context, known, instances, moving)
        volume_backed = self._volume_backed(context, known, details.values())
        self._remember_failed(every_migration, unasked)
        is_unread = overview is not None
        if overview is None:
            overview = self._overview = self._survey(instances, moves)
        placeless = overview.placeless
        return {
            name: Records(
                instances[name], migrations[name], details, volume_backed, unasked, is_unread, placeless
            )
            for name in known
        }

    def forget(self) -> None:
        """Read all instances the next time, whoever is here."""
        self._overview = None

    def _still_true(
        self,
        known: Mapping[str, Mapping[Key, Entry]],
        uuids: frozenset[str] | None,
        moves: frozenset[tuple[str, str]],
    ) -> _Overview | None:
        """The last overview, if what is listed now is what it and the ledgers have."""
        last = self._overview
        if last is None or self._clock() - last.read_at >= _READ_ALL_AGAIN_SECONDS:
            return None
        with_place = frozenset(key[0] for entries in known.values() for key in entries if key[1] is None)
        is_same = uuids == with_place | last.placeless and moves == last.moves
        return last if is_same and last.nodenames == known.keys() else None

    def _survey(
        self, instances: Mapping[str | None, Sequence[Any]], moves: frozenset[tuple[str, str]]
    ) -> _Overview:
        placeless = frozenset(
            instance.uuid
            for name, listed in instances.items()
            for instance in listed
            if name is None or not holds_resources(instance.vm_state, instance.task_state)
        )
        names = frozenset(name for name in instances if name is not None)
        return _Overview(names, moves, placeless, self._clock())

    def _nothing_new(self, migrations: Iterable[Any]) -> frozenset[str]:
        """Failed migrations that were looked at lately: they stay in the list until somebody cleans up."""
        now = self._clock()
        return frozenset(
            migration.uuid
            for migration in migrations
            if migration.uuid in self._failed_moves
            and self._failed_moves[migration.uuid].changed_at == migration.updated_at
            and now - self._failed_moves[migration.uuid].asked_at < _ASK_AGAIN_SECONDS
        )

    def _remember_failed(self, migrations: Iterable[Any], unasked: frozenset[str]) -> None:
        now = self._clock()
        self._failed_moves = {
            each.uuid: self._failed_moves[each.uuid] if each.uuid in unasked else _Asked(each.updated_at, now)
            for each in migrations
            if each.status == MigrationStatus.ERROR
        }

    def _instances(
        self, context: Any, known: Mapping[str, Mapping[Key, Entry]]
    ) -> dict[str | None, list[Any]]:
        """By the name of their node; under None those that are on none of the `known`."""
        # With nothing known everything is news: then ask for all of it at once.
        wanted = [] if any(known.values()) else self._attributes
        found: dict[str | None, list[Any]] = {None: [], **{name: [] for name in known}}
        for instance in objects.InstanceList.get_by_host(context, self._host, expected_attrs=wanted):
            found[instance.node if instance.node in known else None].append(instance)
        return found

    def _details(
        self,
        context: Any,
        known: Mapping[str, Mapping[Key, Entry]],
        instances: Mapping[str | None, Sequence[Any]],
        moving: set[str],
    ) -> dict[str, Any]:
        new = {
            instance.uuid
            for name, listed in instances.items()
            for instance in listed
            if name is not None and not _is_known(instance, known[name].get((instance.uuid, None)))
        }
        present = {
            instance.uuid: instance
            for listed in instances.values()
            for instance in listed
            if instance.uuid in new | moving and instance.obj_attr_is_set("flavor")
        }
        # One half of a move between cells is hidden, and then not among those that are listed without a word.
        for more in ({}, {"hidden": True}):
            missing = sorted((new | moving) - present.keys())
            if missing:
                # A move may outlive its instance's record.
                anyone = context.elevated(read_deleted="yes")
                filters = {"uuid": missing, **more}
                found = objects.InstanceList.get_by_filters(anyone, filters, expected_attrs=self._attributes)
                present |= {instance.uuid: instance for instance in found}
        return present

    def _volume_backed(
        self, context: Any, known: Mapping[str, Mapping[Key, Entry]], instances: Iterable[Any]
    ) -> dict[str, bool]:
        answers = {
            key[0]: entry.volume_backed for entries in known.values() for key, entry in entries.items()
        }
        asked = {instance.uuid: instance for instance in instances if instance.uuid not in answers}
        answers |= {uuid: is_volume_backed_by_image(instance) for uuid, instance in asked.items()}
        unsure = sorted(
            uuid for uuid, instance in asked.items() if not answers[uuid] and instance.flavor.root_gb
        )
        if unsure:
            mappings = objects.BlockDeviceMappingList.get_by_instance_uuids(context, unsure)
            roots = {each.instance_uuid: each.is_volume for each in mappings if each.boot_index == 0}
            answers |= roots
        return answers


def is_volume_backed_by_image(instance: Any) -> bool:
    """A guess from the record alone: only an instance with a root volume was made without an image.

    The opposite is not certain: the image of such an instance may name volumes.
    """
    return not instance.image_ref


def _is_known(instance: Any, entry: Entry | None) -> bool:
    """Whether `entry` still has the amounts of `instance`, which changes flavors only when it is resized."""
    if not holds_resources(instance.vm_state, instance.task_state):
        return True
    return entry is not None and entry.flavor_id == instance.instance_type_id


def entries_of(place: Place, records: Records, known: Mapping[Key, Entry]) -> dict[Key, Entry]:
    """The lines that the records make: instances that live on the node, and moves to and from it."""
    entries: dict[Key, Entry] = {}
    if records.is_unread:
        entries = {key: entry for key, entry in known.items() if key[1] is None}
    for instance in records.instances:
        if holds_resources(instance.vm_state, instance.task_state):
            key = (instance.uuid, None)
            entry = _instance_entry(instance, records, known.get(key))
            if entry is not None:
                entries[key] = entry
    for migration in records.migrations:
        key = (migration.instance_uuid, migration.uuid)
        if migration.uuid in records.unasked and key in known:
            entries[key] = known[key]
    for migration in current_migrations(records):
        flavor = _flavor_held(place, migration, records, (migration.instance_uuid, None) in entries)
        key = (migration.instance_uuid, migration.uuid)
        if flavor is not None:
            entries[key] = _move_entry(migration, flavor, records)
        elif key in known and _is_awaited(place, migration, (migration.instance_uuid, None) in entries):
            # The source has not recorded the new flavor yet: what was claimed stays claimed.
            entries[key] = known[key]
    return entries


def _instance_entry(instance: Any, records: Records, known: Entry | None) -> Entry | None:
    state = InstanceState.of(instance)
    detail = records.details.get(instance.uuid)
    if detail is None:
        return None if known is None else replace(known, state=state)
    volume_backed = records.volume_backed[instance.uuid]
    return Entry(
        flavor_usage(detail.flavor, volume_backed=volume_backed),
        state,
        if_set(detail, "numa_topology"),
        instance.instance_type_id,
        volume_backed,
    )


def _move_entry(migration: Any, flavor: Any, records: Records) -> Entry:
    volume_backed = records.volume_backed[migration.instance_uuid]
    return Entry(flavor_usage(flavor, volume_backed=volume_backed), volume_backed=volume_backed)


def current_migrations(records: Records) -> list[Any]:
    """The migrations that count: the latest of each instance that is really on the move."""
    return [migration for migration in _latest_moves(records) if not _is_stale(migration, records)]


def stale_migrations(records: Records) -> list[Any]:
    """Migrations in progress of which their instance knows nothing: left over from an earlier failure."""
    return [
        migration
        for migration in _latest_moves(records)
        if _is_stale(migration, records) and migration.status != MigrationStatus.ERROR
    ]


def _latest_moves(records: Records) -> list[Any]:
    latest: dict[str, Any] = {}
    for migration in records.migrations:
        instance = records.details.get(migration.instance_uuid)
        if instance is None or not is_moving(instance.vm_state, instance.task_state):
            continue
        other = latest.get(migration.instance_uuid)
        if other is None or _time_of(migration) > _time_of(other):
            latest[migration.instance_uuid] = migration
    return list(latest.values())


def is_moving(vm_state: str | None, task_state: str | None) -> bool:
    """Whether an instance in these states holds room on two hosts, or may come back to the first."""
    if vm_state == VmState.RESIZED:
        return True
    if vm_state in (VmState.ACTIVE, VmState.STOPPED) and task_state in RESIZING_STATES + REBUILDING_STATES:
        return True
    return vm_state in (VmState.ACTIVE, VmState.PAUSED) and task_state == TaskState.MIGRATING


def _time_of(migration: Any) -> Any:
    return migration.updated_at or migration.created_at


def _is_stale(migration: Any, records: Records) -> bool:
    context = if_set(records.details[migration.instance_uuid], "migration_context")
    return context is not None and context.migration_id != migration.id


def _is_awaited(place: Place, migration: Any, lives_here: bool) -> bool:
    return migration.dest_compute == place.host and (not lives_here or migration.source_compute == place.host)


def _flavor_held(place: Place, migration: Any, records: Records, lives_here: bool) -> Any:
    """The flavor for which the node holds room because of `migration`, besides the instance itself; or None.

    Coming here: the new one. Left from here: the old one, for a possible way back. A move within the node:
    whichever of the two the instance does not have now.
    """
    instance = records.details[migration.instance_uuid]
    here = (place.host, place.nodename)
    is_coming = (migration.dest_compute, migration.dest_node) == here
    is_leaving = (migration.source_compute, migration.source_node) == here
    if is_coming and is_leaving:
        is_still_old = instance.instance_type_id == migration.old_instance_type_id
        return _flavor(instance, migration, "new" if is_still_old else "old")
    if lives_here or not (is_coming or is_leaving):
        return None
    return _flavor(instance, migration, "new" if is_coming else "old")


def _flavor(instance: Any, migration: Any, side: str) -> Any:
    if migration.migration_type != MigrationType.RESIZE:
        # Only a resize changes the flavor, so only a resize keeps two of them.
        return instance.flavor
    return if_set(instance, f"{side}_flavor")
