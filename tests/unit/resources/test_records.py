"""Which lines the records make: instances, moves in every direction and stage, leftovers."""

import datetime
from types import SimpleNamespace

import pytest
import store as stores

from computed import objects
from computed.resources.ledger import Entry
from computed.resources.records import (
    Place,
    RecordReader,
    Records,
    current_migrations,
    entries_of,
    is_moving,
    stale_migrations,
)
from computed.resources.usage import InstanceState, Usage

HERE, THERE = ("host1", "node1"), ("host2", "node2")
PLACE = Place(*HERE)
SMALL = stores.make_flavor(1, vcpus=1, memory_mb=100, root_gb=1)
LARGE = stores.make_flavor(2, vcpus=4, memory_mb=400, root_gb=4)
SMALL_USAGE, LARGE_USAGE = Usage(1, 100, 1), Usage(4, 400, 4)


def instance(where=HERE, flavor=SMALL, vm_state="active", task_state=None, **values):
    return stores.Store().add_instance(
        flavor, host=where[0], node=where[1], vm_state=vm_state, task_state=task_state, **values
    )


def migration(of, source, dest, kind="resize", old=SMALL, **values):
    return stores.Store().add_migration(
        of, source, dest, migration_type=kind, old_instance_type_id=old.id, **values
    )


def lines(records, known=None):
    """Usage by "instance" or "move", in the order of the keys' kinds."""
    found = entries_of(PLACE, records, known or {})
    return sorted(("move" if key[1] else "instance", entry.usage) for key, entry in found.items())


def read(instances=(), migrations=(), others=(), volume_backed=False, **more):
    details = {each.uuid: each for each in (*instances, *others)}
    backed = dict.fromkeys(details, volume_backed)
    return Records(list(instances), list(migrations), details, backed, **more)


@pytest.mark.parametrize(
    ("vm_state", "task_state", "counts"),
    [
        ("active", None, True),
        ("building", "spawning", True),
        ("error", None, True),
        ("shelved", None, True),
        ("shelved_offloaded", None, False),
        ("shelved_offloaded", "spawning", True),
        ("deleted", None, False),
    ],
)
def test_instances_that_live_here(vm_state, task_state, counts):
    records = read([instance(vm_state=vm_state, task_state=task_state)])
    assert lines(records) == ([("instance", SMALL_USAGE)] if counts else [])


def test_a_root_disk_on_a_volume_is_no_local_disk():
    assert lines(read([instance()], volume_backed=True)) == [("instance", Usage(1, 100, 0))]


def test_an_instance_without_details_keeps_its_amounts_and_gets_its_state():
    known = instance()
    key = (known.uuid, None)
    entry = Entry(Usage(9, 9, 9), InstanceState("building", None, None, "p1"), flavor_id=1)
    found = entries_of(PLACE, Records([known]), {key: entry})
    assert found[key] == Entry(Usage(9, 9, 9), InstanceState("active", None, None, "p1"), flavor_id=1)
    assert entries_of(PLACE, Records([known]), {}) == {}


RESIZING = {"task_state": "resize_migrating"}
RESIZED = {"vm_state": "resized"}


def resize(where, source, dest, flavor=SMALL, **state):
    moved = instance(where, flavor, old_flavor=SMALL, new_flavor=LARGE, **state)
    record = migration(moved, source, dest)
    here = [moved] if where == HERE else []
    return read(here, [record], [moved])


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # away from here: first the instance itself, then room for a way back
        (resize(HERE, HERE, THERE, **RESIZING), [("instance", SMALL_USAGE)]),
        (resize(THERE, HERE, THERE, LARGE, task_state="resize_finish"), [("move", SMALL_USAGE)]),
        (resize(THERE, HERE, THERE, LARGE, **RESIZED), [("move", SMALL_USAGE)]),
        # to here: first room for it, then the instance itself
        (resize(THERE, THERE, HERE, **RESIZING), [("move", LARGE_USAGE)]),
        (resize(HERE, THERE, HERE, LARGE, **RESIZED), [("instance", LARGE_USAGE)]),
        # within the node: both sizes all the time
        (resize(HERE, HERE, HERE, **RESIZING), [("instance", SMALL_USAGE), ("move", LARGE_USAGE)]),
        (resize(HERE, HERE, HERE, LARGE, **RESIZED), [("instance", LARGE_USAGE), ("move", SMALL_USAGE)]),
        # elsewhere, or no longer on the move
        (resize(THERE, THERE, THERE, **RESIZING), []),
        (resize(THERE, HERE, THERE), []),
        (resize(THERE, HERE, THERE, vm_state="error", **RESIZING), []),
        (resize(THERE, HERE, THERE, vm_state="deleted"), []),
    ],
)
def test_resizes(records, expected):
    assert lines(records) == expected


@pytest.mark.parametrize(
    ("where", "source", "dest", "expected"),
    [
        (THERE, THERE, HERE, [("move", SMALL_USAGE)]),
        (HERE, THERE, HERE, [("instance", SMALL_USAGE)]),
        (HERE, HERE, THERE, [("instance", SMALL_USAGE)]),
        (THERE, HERE, THERE, [("move", SMALL_USAGE)]),
    ],
)
@pytest.mark.parametrize(
    ("kind", "task_state"),
    [("live-migration", "migrating"), ("migration", "resize_prep"), ("evacuation", "rebuilding")],
)
def test_moves_that_change_no_flavor(where, source, dest, expected, kind, task_state):
    moved = instance(where, task_state=task_state, old_flavor=LARGE, new_flavor=LARGE)
    records = read([moved] if where == HERE else [], [migration(moved, source, dest, kind)], [moved])
    assert lines(records) == expected


def test_a_confirmed_resize_has_no_old_flavor_any_more():
    moved = instance(THERE, LARGE, vm_state="resized", old_flavor=None, new_flavor=None)
    assert lines(read([], [migration(moved, HERE, THERE)], [moved])) == []


def test_a_migration_whose_instance_is_gone_counts_nothing():
    gone = instance(THERE, **RESIZING)
    assert lines(read([], [migration(gone, THERE, HERE)])) == []


@pytest.mark.parametrize(
    ("vm_state", "task_state", "moving"),
    [
        ("resized", None, True),
        ("resized", "resize_reverting", True),
        ("active", "resize_prep", True),
        ("stopped", "resize_migrated", True),
        ("active", "rebuild_spawning", True),
        ("active", "migrating", True),
        ("paused", "migrating", True),
        ("stopped", "migrating", False),
        ("paused", "resize_prep", False),
        ("active", None, False),
        ("active", "rebooting", False),
        ("error", "rebuilding", False),
    ],
)
def test_who_is_on_the_move(vm_state, task_state, moving):
    assert is_moving(vm_state, task_state) is moving


def test_only_the_latest_migration_of_an_instance_counts():
    moved = instance(THERE, old_flavor=SMALL, new_flavor=LARGE, **RESIZING)
    early = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    older = migration(moved, HERE, THERE, updated_at=early)
    newer = migration(moved, THERE, HERE, updated_at=None, created_at=early + datetime.timedelta(hours=1))
    for order in ([older, newer], [newer, older]):
        assert current_migrations(read([], order, [moved])) == [newer]


def test_a_migration_of_which_the_instance_knows_nothing_is_stale():
    moved = instance(THERE, new_flavor=LARGE, old_flavor=SMALL, **RESIZING)
    moved.migration_context = objects.MigrationContext(migration_id=77, instance_uuid=moved.uuid)
    stale, failed = (migration(moved, THERE, HERE, id=1, status=status) for status in ("migrating", "error"))
    known = migration(moved, THERE, HERE, id=77)
    assert stale_migrations(read([], [stale], [moved])) == [stale]
    assert stale_migrations(read([], [failed], [moved])) == []
    assert stale_migrations(read([], [known], [moved])) == []
    assert lines(read([], [stale], [moved])) == []
    assert lines(read([], [known], [moved])) == [("move", LARGE_USAGE)]


def test_a_failed_migration_that_was_not_asked_about_keeps_its_line():
    moved = instance(THERE, **RESIZING)
    failed = migration(moved, THERE, HERE, status="error")
    key = (moved.uuid, failed.uuid)
    records = Records([], [failed], unasked=frozenset({failed.uuid}))
    assert entries_of(PLACE, records, {key: Entry(LARGE_USAGE)}) == {key: Entry(LARGE_USAGE)}
    assert entries_of(PLACE, records, {}) == {}


# How many calls the reading costs

MIGRATIONS = "MigrationList.get_in_progress_and_error"
ALL = ["InstanceList.get_by_host"]
FIRST = [MIGRATIONS, *ALL]
LIST = ["InstanceList.get_uuids_by_host", MIGRATIONS]
DETAILS = ["InstanceList.get_by_filters"]
DISKS = ["BlockDeviceMappingList.get_by_instance_uuids"]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def reading(store, context):
    store.locks.clear()
    clock = Clock()
    reader = RecordReader(HERE[0], clock=clock)

    def once(known):
        store.calls.clear()
        found = reader.read(context, {HERE[1]: known})[HERE[1]]
        return SimpleNamespace(entries=entries_of(PLACE, found, known), calls=list(store.calls))

    once.clock = clock
    return once


@pytest.mark.parametrize("count", [1, 50])
def test_calls_do_not_depend_on_the_number_of_instances(store, reading, count):
    for _ in range(count):
        store.add_instance(SMALL, host=HERE[0], node=HERE[1])
    first = reading({})
    assert first.calls == FIRST + DISKS
    assert len(first.entries) == count
    assert reading(first.entries).calls == LIST
    for _ in range(count):
        store.add_instance(LARGE, host=HERE[0], node=HERE[1])
    second = reading(first.entries)
    assert second.calls == LIST + ALL + DETAILS + DISKS
    assert reading(second.entries).calls == LIST


def test_a_resized_instance_is_read_again(store, reading):
    resized = store.add_instance(SMALL, host=HERE[0], node=HERE[1])
    first = reading({})
    resized.flavor, resized.instance_type_id = LARGE, LARGE.id
    assert reading(first.entries).calls == LIST
    # Nobody is resized without a migration: one that ended tells of it.
    store.add_migration(resized, HERE, THERE)
    second = reading(first.entries)
    assert second.calls == LIST + ALL + DETAILS
    assert [entry.usage for entry in second.entries.values()] == [LARGE_USAGE]


def test_root_disks_by_mapping_and_without_image(store, reading):
    def add(**values):
        return store.add_instance(SMALL, host=HERE[0], node=HERE[1], **values).uuid

    local, volume, second_disk, no_image = add(), add(), add(), add(image_ref="")
    for uuid, index, kind in [(local, 0, "local"), (volume, 0, "volume"), (second_disk, 1, "volume")]:
        mapping = objects.BlockDeviceMapping(instance_uuid=uuid, boot_index=index, destination_type=kind)
        store.mappings.append(mapping)
    entries = reading({}).entries
    assert {key[0]: entry.usage.disk_gib for key, entry in entries.items()} == {
        local: 1,
        volume: 0,
        second_disk: 1,
        no_image: 0,
    }


def test_moves_cost_one_call_more_and_failed_ones_only_now_and_then(store, reading):
    moved = store.add_instance(SMALL, host=THERE[0], node=THERE[1], new_flavor=LARGE, **RESIZING)
    record = store.add_migration(moved, THERE, HERE)
    first = reading({})
    assert [entry.usage for entry in first.entries.values()] == [LARGE_USAGE]
    assert reading(first.entries).calls == LIST + DETAILS
    record.status = "error"
    assert reading(first.entries).calls == LIST + ALL + DETAILS
    quiet = reading(first.entries)
    assert quiet.calls == LIST
    assert quiet.entries == first.entries
    reading.clock.now += 301
    assert reading(first.entries).calls == LIST + DETAILS
    record.updated_at = record.updated_at + datetime.timedelta(seconds=1)
    assert reading(first.entries).calls == LIST + DETAILS


def test_several_nodes_share_one_list(store, context):
    store.locks.clear()
    for name in ("node1", "node1", "node2", "gone"):
        store.add_instance(SMALL, host=HERE[0], node=name)
    store.calls.clear()
    found = RecordReader(HERE[0]).read(context, {"node1": {}, "node2": {}})
    assert {name: len(records.instances) for name, records in found.items()} == {"node1": 2, "node2": 1}
    assert store.calls == [MIGRATIONS, MIGRATIONS, *ALL, *DISKS]


def test_what_is_read_again_only_when_others_are_here(store, reading):
    """One that holds no place and one on a node that is not known do not count as news for ever."""
    store.add_instance(SMALL, host=HERE[0], node=HERE[1])
    store.add_instance(SMALL, host=HERE[0], node=HERE[1], vm_state="deleted")
    store.add_instance(SMALL, host=HERE[0], node="gone")
    known = reading({}).entries
    assert len(known) == 1
    again = reading(known)
    assert (again.calls, again.entries) == (LIST, known)
    newcomer = store.add_instance(SMALL, host=HERE[0], node=HERE[1])
    third = reading(known)
    assert third.calls == LIST + ALL + DETAILS + DISKS
    assert reading(third.entries).calls == LIST
    newcomer.host = newcomer.node = "elsewhere"
    fourth = reading(third.entries)
    assert (fourth.calls, fourth.entries) == (LIST + ALL, known)


def test_everything_is_read_once_an_hour(store, reading):
    store.add_instance(SMALL, host=HERE[0], node=HERE[1])
    known = reading({}).entries
    reading.clock.now += 3599
    assert reading(known).calls == LIST
    reading.clock.now += 1
    assert reading(known).calls == LIST + ALL
    assert reading(known).calls == LIST
