"""The source of a live migration restarts before its guest leaves or after it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.clients.compute import ComputeClient
from tests.functional.cloud import HOST, Cloud
from tests.functional.live_migration.test_failures import dying
from tests.functional.live_migration.world import World, make_world

THERE = "second"


@pytest.fixture
def world(make_pair: Callable[..., Cloud]) -> World:
    return make_world(make_pair)


@pytest.mark.parametrize("knows_where", [True, False])
def test_what_the_conductor_prepares_meanwhile_is_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch, knows_where: bool
) -> None:
    uuid, role = world.boot(), world.role
    make, bind, change = role.make_migration, role._bind_ports, role.set_migration

    def make_so(*given: Any, **more: Any) -> str:
        return make(*given, **{**more, "dest_compute": THERE if knows_where else None})

    def restart_and_bind(*given: Any) -> None:
        world.cloud.restart_agent()
        bind(*given)

    def say_where(migration: str, **fields: Any) -> None:
        change(migration, dest_compute=THERE, **fields)

    monkeypatch.setattr(role, "make_migration", make_so)
    monkeypatch.setattr(role, "_bind_ports", restart_and_bind)
    monkeypatch.setattr(role, "set_migration", say_where)
    with world.recorded("live_migration") as messages:
        migration = role.live_migrate(uuid, to=THERE)
    world.cloud.settle()
    world.assert_stayed(uuid, migration, "error")
    # It can be moved now, and the old order is no longer of any consequence.
    monkeypatch.undo()
    again = role.live_migrate(uuid, to=THERE)
    for message in messages:
        world.cloud.rpc.cast(**message)
    world.cloud.settle()
    assert world.status(again) == "completed" and world.guests(THERE) == {uuid}
    assert world.bindings(uuid) == [(THERE, [])]
    assert set(role.holds(uuid)) == {THERE}


@pytest.fixture
def arrived(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A server that its destination has recorded when its source dies, and its live migration."""
    uuid = world.boot()
    died = dying(monkeypatch, world.cloud.agents[HOST].host.scheduler, "delete_instance_info")
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    assert died.wait(10)
    world.cloud.kill_agent()
    assert world.status(migration) == "running" and set(world.role.holds(migration)) == {HOST}
    return uuid, migration


def test_one_that_the_destination_has_recorded_is_ended(world: World, arrived: tuple[str, str]) -> None:
    uuid, migration = arrived
    world.cloud.start_agent()
    world.cloud.settle()
    row = world.cloud.row(uuid)
    assert (row["host"], row["vm_state"], row["task_state"]) == (THERE, "active", None)
    assert world.status(migration) == "completed" and world.guests(THERE) == {uuid}
    assert world.role.holds(migration) == {} and set(world.role.holds(uuid)) == {THERE}
    assert world.bindings(uuid) == [(THERE, [])]


def test_one_whose_server_has_gone_on_since_is_ended(world: World, arrived: tuple[str, str]) -> None:
    uuid, migration = arrived
    world.cloud.set_fields(uuid, host="third", node="third")
    world.cloud.start_agent()
    world.cloud.settle()
    assert world.status(migration) == "completed" and world.role.holds(migration) == {}


def test_one_that_the_destination_refuses_to_record_has_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = world.boot()
    order = "post_live_migration_at_destination"
    died = dying(monkeypatch, world.cloud.agents[HOST].host.computes, order)
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    assert died.wait(10)
    world.cloud.kill_agent()

    def refuse(*arguments: Any, **more: Any) -> None:
        raise errors.NovaException("not here")

    monkeypatch.setattr(ComputeClient, order, refuse)
    world.cloud.start_agent()
    world.cloud.settle()
    assert world.cloud.row(uuid)["vm_state"] == "error"
    assert world.status(migration) == "error"


def test_one_whose_record_cannot_be_read_is_left_as_it_is(world: World, arrived: tuple[str, str]) -> None:
    _, migration = arrived
    world.cloud.trouble("Instance", "get_by_uuid", errors.NovaException("no answer"))
    world.cloud.start_agent()
    world.cloud.settle()
    assert world.status(migration) == "running" and set(world.role.holds(migration)) == {HOST}
    world.cloud.restart_agent()
    world.cloud.settle()
    assert world.status(migration) == "completed" and world.role.holds(migration) == {}


def test_one_whose_server_comes_back_keeps_the_bindings_for_that(
    world: World, arrived: tuple[str, str]
) -> None:
    uuid, migration = arrived
    world.cloud.embedded.network.create_bindings(None, world.cloud.instance(uuid), host=HOST)
    world.cloud.set_fields(uuid, task_state="migrating")
    world.cloud.start_agent()
    world.cloud.settle()
    assert world.status(migration) == "completed" and world.role.holds(migration) == {}
    assert world.bindings(uuid) == [(THERE, [HOST])]
