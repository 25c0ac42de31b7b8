"""What a live migration and its way back ask of volumes and placement fails: the server is on one host.

What a migration that goes well asks of others fails in tests/functional/failures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.states import MigrationStatus
from tests.functional.cloud import HOST, Cloud
from tests.functional.live_migration.test_volumes import attach
from tests.functional.live_migration.world import World, make_world

THERE = "second"
ENDED = {
    MigrationStatus.COMPLETED,
    MigrationStatus.FAILED,
    MigrationStatus.ERROR,
    MigrationStatus.CANCELLED,
}


@pytest.fixture
def world(make_pair: Callable[..., Cloud]) -> World:
    return make_world(make_pair)


def run(world: World, uuid: str) -> None:
    """One live migration, whatever comes of it."""
    try:
        world.role.live_migrate(uuid, to=THERE, wait=False)
    except errors.NovaException:
        pass
    world.cloud.wait_for(uuid, task_state=None)
    world.cloud.settle()


def check(world: World, uuid: str) -> None:
    """One host, legal states, nothing held that is not the server's."""
    row, migration = world.cloud.row(uuid), world.role.migrations(uuid)[-1]
    other = THERE if row["host"] == HOST else HOST
    assert row["vm_state"] in ("active", "error") and row["task_state"] is None
    assert migration["status"] in ENDED
    assert row["host"] == HOST or row["node"] == THERE
    assert uuid not in world.guests(other)
    if row["vm_state"] == "active":
        assert uuid in world.guests(row["host"])
    else:
        assert world.cloud.faults(uuid)
    assert set(world.role.holds(uuid)) == {row["host"]}
    assert world.role.holds(migration["uuid"]) == {}
    for host in (HOST, THERE):
        world.cloud.agents[host].run_periodic("update_available_resource")
    assert (world.used(row["host"]), world.used(other)) == (1, 0)
    for attachment in world.cloud.embedded.volumes.attachments_of(instance_uuid=uuid):
        assert attachment["connector"]["host"] == row["host"] or migration["status"] == "completed"


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("is_back", [False, True])
def test_the_volume_service_fails(world: World, after: int, is_back: bool) -> None:
    uuid = world.boot()
    attach(world, uuid)
    if is_back:
        world.set(HOST, fail=["live_migrate:*:MigrationError:1"])
    count = iter(range(100))

    def answer(method: str) -> None:
        if next(count) == after:
            raise errors.CinderConnectionFailed(reason="as ordered")

    world.cloud.embedded.volumes.on_request = answer
    run(world, uuid)
    world.cloud.embedded.volumes.on_request = None
    check(world, uuid)


@pytest.mark.parametrize("is_back", [False, True])
def test_placement_fails_once(world: World, is_back: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = world.boot()
    if is_back:
        world.set(HOST, fail=["live_migrate:*:MigrationError:1"])
    placement = world.cloud.agents[HOST].host.placement
    name = "move_allocations" if is_back else "delete_allocations"
    ask, failed = getattr(placement, name), []

    def fail_once(*arguments: Any) -> Any:
        # The control plane of the test asks the same service.
        if not failed and threading.current_thread().name.startswith("departure"):
            failed.append(arguments)
            raise errors.PlacementAPIConnectFailure()
        return ask(*arguments)

    monkeypatch.setattr(placement, name, fail_once)
    run(world, uuid)
    assert failed
    check(world, uuid)
