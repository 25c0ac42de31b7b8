"""A guest leaves only when the network has plugged its ports at the destination, where that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from computed import objects
from tests.functional.cloud import HOST, Cloud
from tests.functional.live_migration.world import World, make_world

THERE = "second"
WAITS = {"compute.live_migration_wait_for_vif_plug": True}


def plug(world: World, uuid: str, *, status: str = "completed") -> None:
    """Tell the source as neutron does, by way of the API."""
    instance = world.cloud.instance(uuid)
    (port,) = [vif["id"] for vif in world.network_info(uuid)]
    event = objects.InstanceExternalEvent(
        instance_uuid=uuid, name="network-vif-plugged", tag=port, status=status, data={}
    )
    world.cloud.rpc.cast(
        "external_instance_event", version="6.0", server=HOST, instances=[instance], events=[event]
    )


def begin(make_pair: Callable[..., Cloud], **first: Any) -> tuple[World, str, str]:
    world = make_world(make_pair, first=first, second=WAITS)
    uuid = world.boot()
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    world.cloud.wait(
        lambda: ("compute_pre_live_migration", "Success") in world.cloud.events(uuid), "the destination"
    )
    return world, uuid, migration


def test_it_waits_for_the_event(make_pair: Callable[..., Cloud]) -> None:
    world, uuid, migration = begin(make_pair)
    assert world.status(migration) == "preparing"
    plug(world, uuid)
    world.cloud.wait_for(uuid, task_state=None)
    world.cloud.settle()
    assert world.status(migration) == "completed" and world.guests(THERE) == {uuid}


def test_an_event_that_comes_before_the_destination_is_ready(make_pair: Callable[..., Cloud]) -> None:
    world = make_world(make_pair, second=WAITS)
    uuid = world.boot()
    world.set(THERE, delays={"prepare_live_migration": "0.5"})
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    world.cloud.wait(lambda: world.status(migration) == "preparing", "it to prepare")
    plug(world, uuid)
    world.cloud.wait_for(uuid, task_state=None)
    world.cloud.settle()
    assert world.status(migration) == "completed"


def test_an_event_that_never_comes(make_pair: Callable[..., Cloud]) -> None:
    world, uuid, migration = begin(make_pair, vif_plugging_timeout=1)
    world.cloud.wait_for(uuid, task_state=None)
    world.cloud.settle()
    world.assert_stayed(uuid, migration, "failed")
    assert "live_migration_wait_for_vif_plug" in world.cloud.faults(uuid)[-1]


def test_an_event_of_failure(make_pair: Callable[..., Cloud]) -> None:
    world, uuid, migration = begin(make_pair)
    plug(world, uuid, status="failed")
    world.cloud.wait_for(uuid, task_state=None)
    world.cloud.settle()
    world.assert_stayed(uuid, migration, "failed")


@pytest.mark.parametrize("option", [{"vif_plugging_is_fatal": False}, {"vif_plugging_timeout": 0}])
def test_an_event_that_is_not_insisted_upon(make_pair: Callable[..., Cloud], option: dict[str, Any]) -> None:
    world, uuid, migration = begin(make_pair, **{"vif_plugging_timeout": 1, **option})
    world.cloud.wait_for(uuid, task_state=None)
    world.cloud.settle()
    assert world.status(migration) == "completed"
