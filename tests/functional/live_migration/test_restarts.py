"""The source of a live migration restarts before its guest leaves or after it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.functional.cloud import Cloud
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
