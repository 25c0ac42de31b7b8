"""Live migrations wait for their turn; users abort them or bring them to their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from computed.virt.specs import LiveMigrationProgress
from tests.functional.cloud import HOST, Cloud
from tests.functional.live_migration.world import World, make_world

THERE = "second"


@pytest.fixture
def world(make_pair: Callable[..., Cloud]) -> World:
    return make_world(make_pair)


def begin(world: World, uuid: str, seconds: str = "10") -> str:
    """A migration that is running and takes its time."""
    world.set(HOST, delays={"live_migrate": seconds})
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    world.cloud.wait(lambda: uuid in world.driver(HOST)._leaving, "it to leave")
    assert world.status(migration) == "running"
    return migration


def stands_in_line(world: World, migration: str) -> None:
    """Wait until a migration has its place in the line: its record says so a little earlier."""
    departures = world.cloud.agents[HOST].host.departures
    world.cloud.wait(
        lambda: world.status(migration) == "queued" and departures.knows(migration), "it to stand in the line"
    )


def ended(world: World, uuid: str) -> None:
    world.cloud.wait_for(uuid, task_state=None)
    world.cloud.settle()


def test_aborted_on_its_way(world: World) -> None:
    uuid = world.boot()
    migration = begin(world, uuid)
    world.notices.clear()
    world.role.abort(uuid, migration)
    ended(world, uuid)
    world.assert_stayed(uuid, migration, "cancelled")
    assert ("compute_live_migration_abort", "Success") in world.cloud.events(uuid)
    told = [name.removeprefix("instance.live_migration_") for name in world.notices.names(uuid)]
    assert sorted(told) == ["abort.end", "abort.start", "rollback.end", "rollback.start"]
    assert world.cloud.faults(uuid) == []


def test_aborted_while_it_prepares(world: World) -> None:
    uuid = world.boot()
    world.set(THERE, delays={"prepare_live_migration": "0.5"})
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    world.cloud.wait(lambda: world.status(migration) == "preparing", "it to prepare")
    world.notices.clear()
    world.role.abort(uuid, migration)
    ended(world, uuid)
    world.assert_stayed(uuid, migration, "cancelled")
    told = [name.removeprefix("instance.live_migration_") for name in world.notices.names(uuid)]
    assert told.count("abort.start") == 1 and told.count("abort.end") == 1
    assert told[-1] == "abort.end"


def test_aborted_while_it_waits(world: World) -> None:
    first, second = world.boot(name="first"), world.boot(name="second")
    begin(world, first)
    migration = world.role.live_migrate(second, to=THERE, wait=False)
    stands_in_line(world, migration)
    world.role.abort(second, migration)
    world.cloud.wait_for(second, task_state=None)
    world.cloud.wait(lambda: world.status(migration) == "cancelled", "its end")
    assert world.bindings(second) == [(HOST, [])]
    assert set(world.role.holds(second)) == {HOST} and world.role.holds(migration) == {}
    assert "compute_pre_live_migration" not in [event for event, _ in world.cloud.events(second)], (
        "it must not have begun"
    )
    world.role.force(first)
    ended(world, first)
    assert world.guests(HOST) == {second} and world.guests(THERE) == {first}


def test_aborted_after_its_end(world: World) -> None:
    uuid = world.boot()
    migration = world.role.live_migrate(uuid, to=THERE)
    # The API asks the host where the instance is now; so does a message that comes late.
    world.role.abort(uuid, migration)
    world.cloud.settle()
    assert ("compute_live_migration_abort", "Error") in world.cloud.events(uuid)
    assert world.status(migration) == "completed" and world.guests(THERE) == {uuid}
    assert "does not allow abort live migration" in world.cloud.faults(uuid)[-1]


def test_another_migration_is_not_aborted(world: World) -> None:
    uuid = world.boot()
    old = world.role.live_migrate(uuid, to=THERE)
    world.role.live_migrate(uuid, to=HOST)
    migration = begin(world, uuid)
    world.role.abort(uuid, old)
    world.cloud.wait(
        lambda: ("compute_live_migration_abort", "Error") in world.cloud.events(uuid), "the refusal"
    )
    assert world.status(migration) == "running"
    world.role.force(uuid)
    ended(world, uuid)
    assert world.status(migration) == "completed"


def test_forced(world: World) -> None:
    uuid = world.boot()
    migration = begin(world, uuid, "30")
    world.notices.clear()
    world.role.force(uuid)
    ended(world, uuid)
    assert world.status(migration) == "completed" and world.guests(THERE) == {uuid}
    assert ("compute_live_migration_force_complete", "Success") in world.cloud.events(uuid)
    told = world.notices.names(uuid)
    assert told[0] == "instance.live_migration_force_complete.start"
    assert "instance.live_migration_force_complete.end" in told


def test_forced_when_there_is_nothing_to_force(world: World) -> None:
    uuid = world.boot()
    world.role.force(uuid)
    world.cloud.settle()
    assert ("compute_live_migration_force_complete", "Error") in world.cloud.events(uuid)
    assert world.guests(HOST) == {uuid} and world.cloud.row(uuid)["vm_state"] == "active"


def test_one_after_the_other(world: World) -> None:
    uuids = [world.boot(name=f"server-{number}") for number in range(3)]
    first = begin(world, uuids[0])
    world.set(HOST, delays={})
    others = [world.role.live_migrate(uuid, to=THERE, wait=False) for uuid in uuids[1:]]
    for migration in others:
        stands_in_line(world, migration)
    assert world.guests(THERE) == set()
    world.role.force(uuids[0])
    world.cloud.settle()
    for uuid, migration in zip(uuids, [first, *others], strict=True):
        world.cloud.wait_for(uuid, task_state=None, host=THERE)
        world.cloud.wait(lambda m=migration: world.status(m) == "completed", "its end")
    assert world.guests(THERE) == set(uuids) and world.guests(HOST) == set()


@pytest.mark.parametrize("most", [0, 2])
def test_several_at_once(make_pair: Callable[..., Cloud], most: int) -> None:
    world = make_world(make_pair, first={"max_concurrent_live_migrations": most})
    uuids = [world.boot(name=f"server-{number}") for number in range(2)]
    migrations = [begin(world, uuid) for uuid in uuids]
    for uuid in uuids:
        world.role.force(uuid)
    world.cloud.settle()
    assert [world.status(migration) for migration in migrations] == ["completed", "completed"]


def test_an_agent_that_stops_cancels_what_waits(make_pair: Callable[..., Cloud]) -> None:
    world = make_world(make_pair, first={"manager_shutdown_timeout": 5})
    first, second = world.boot(name="first"), world.boot(name="second")
    running = begin(world, first, "30")
    waiting = world.role.live_migrate(second, to=THERE, wait=False)
    stands_in_line(world, waiting)
    # It arrives while the agent, which takes nothing new any more, waits for it.
    arrival = threading.Timer(2.0, world.driver(HOST)._leaving[first].finish)
    arrival.start()
    world.cloud.stop_agent()
    assert world.status(running) == "completed" and world.guests(THERE) == {first}
    assert world.status(waiting) == "cancelled"
    row = world.cloud.row(second)
    assert (row["host"], row["task_state"], row["vm_state"]) == (HOST, None, "active")
    assert set(world.role.holds(second)) == {HOST} and world.role.holds(waiting) == {}
    world.cloud.start_agent()


def test_ten_times_in_a_row(world: World) -> None:
    uuid = world.boot()
    for number in range(10):
        to, left = (THERE, HOST) if number % 2 == 0 else (HOST, THERE)
        world.set(left, delays={"live_migrate": "0.1"} if number % 3 == 0 else {})
        assert world.status(world.role.live_migrate(uuid, to=to)) == "completed"
        assert world.guests(to) == {uuid} and world.guests(left) == set()
    assert world.cloud.faults(uuid) == []


def test_aborted_while_it_waits_for_its_ports(make_pair: Callable[..., Cloud]) -> None:
    waits = {"compute.live_migration_wait_for_vif_plug": True}
    world = make_world(make_pair, second=waits)
    uuid = world.boot()
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    prepared = ("compute_pre_live_migration", "Success")
    world.cloud.wait(lambda: prepared in world.cloud.events(uuid), "the destination")
    world.role.abort(uuid, migration)
    ended(world, uuid)
    world.assert_stayed(uuid, migration, "cancelled")
    assert world.cloud.faults(uuid) == []


def test_a_destination_that_stops_waits_for_who_is_coming(world: World) -> None:
    uuid = world.boot()
    migration = begin(world, uuid, "1")
    assert world.cloud.agents[THERE].stop()
    world.cloud.agents[THERE].start()
    ended(world, uuid)
    assert world.status(migration) == "completed" and world.guests(THERE) == {uuid}
    assert (world.cloud.row(uuid)["host"], world.cloud.row(uuid)["vm_state"]) == (THERE, "active")


def test_a_destination_that_stops_waits_for_nobody_who_stays(make_pair: Callable[..., Cloud]) -> None:
    world = make_world(make_pair, second={"manager_shutdown_timeout": 30})
    uuid = world.boot()
    migration = begin(world, uuid, "20")
    world.role.abort(uuid, migration)
    ended(world, uuid)
    began = time.monotonic()
    assert world.cloud.agents[THERE].stop()
    assert time.monotonic() - began < 20
    world.cloud.agents[THERE].start()


def test_packets_go_along_when_the_guest_goes_on_before_its_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = world.boot()
    driver = world.driver(HOST)
    live_migrate, seen = driver.live_migrate, []

    def post_copy(context: Any, spec: Any, dest: str, data: Any, watch: Any) -> None:
        watch(LiveMigrationProgress(100, 60, 40, 10, 5, 5, is_post_copy=True))
        record = world.role.migration(world.role.migrations(uuid)[-1]["uuid"])
        seen.append((record.status, record.memory_processed, record.disk_remaining))
        seen.append((world.bindings(uuid), world.cloud.row(uuid)["progress"]))
        live_migrate(context, spec, dest, data, watch)

    monkeypatch.setattr(driver, "live_migrate", post_copy)
    migration = world.role.live_migrate(uuid, to=THERE)
    assert seen == [("running (post-copy)", 60, 5), ([(THERE, [HOST])], 60)]
    assert world.status(migration) == "completed" and world.bindings(uuid) == [(THERE, [])]
