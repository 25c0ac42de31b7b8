"""Evacuating a server from a host that has failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.embedded.servers import user_context
from computed.states import PowerState
from computed.virt.fake.store import FakeGuest
from tests.functional.fleet import HOST
from tests.functional.rebuild.role import RebuildRole

SECOND = "second"


def boot(moves: RebuildRole) -> str:
    """A server on the first host."""
    (uuid,) = moves.cloud.boot(host=HOST)
    assert moves.states(uuid) == ("active", None, HOST)
    return uuid


def give_disks(moves: RebuildRole, uuid: str) -> None:
    """Let the second host see the disks of a server, as on shared storage."""
    store = moves.cloud.agents[SECOND].host.driver._store  # type: ignore[attr-defined]
    store.add(FakeGuest(uuid, uuid, 0, defined=False))


def has_disks(moves: RebuildRole, uuid: str) -> bool:
    return moves.cloud.agents[SECOND].host.driver.has_disks_of(moves.cloud.instance(uuid))


def test_the_server_lives_on_the_new_host(moves: RebuildRole, listen: Callable[..., Any]) -> None:
    uuid = boot(moves)
    notices = listen(moves.cloud.agents[SECOND].host)
    migration = moves.evacuate(uuid)
    row = moves.cloud.row(uuid)
    assert moves.states(uuid) == ("active", None, SECOND)
    assert (row["node"], row["compute_id"]) == (SECOND, moves.node(SECOND)["id"])
    assert row["migration_context"] is None
    assert moves.guest(uuid, SECOND).boots == 1
    record = moves.migration(migration)
    assert (record.status, record.dest_compute, record.dest_node) == ("done", SECOND, SECOND)
    assert record.dest_compute_id == moves.node(SECOND)["id"]
    assert moves.claims(SECOND, uuid) == 1
    assert set(moves.holds(uuid)) == {HOST, SECOND}
    assert bindings(moves, uuid) == [(SECOND, [])]
    assert [row[1:] for row in notices.told] == [
        ("exists", "active", "rebuilding"),
        ("rebuild.start", "active", "rebuilding"),
        ("rebuild.end", "active", None),
    ]
    assert moves.cloud.events(uuid)[-1] == ("compute_rebuild_instance", "Success")


def test_the_node_counts_the_server_once_before_and_after_an_audit(moves: RebuildRole) -> None:
    uuid = boot(moves)
    moves.evacuate(uuid)
    assert moves.node(SECOND)["memory_mb_used"] == moves.cloud.row(uuid)["memory_mb"] + 512
    moves.cloud.agents[SECOND].run_periodic("update_available_resource")
    assert moves.node(SECOND)["memory_mb_used"] == moves.cloud.row(uuid)["memory_mb"] + 512
    assert moves.claims(SECOND, uuid) == 1


def test_without_a_migration_record_and_without_a_node(moves: RebuildRole) -> None:
    uuid = boot(moves)
    moves.evacuate(uuid, migration=None, scheduled_node=None, limits=None, request_spec=None)
    assert moves.states(uuid) == ("active", None, SECOND)
    assert moves.claims(SECOND, uuid) == 1


@pytest.mark.parametrize("was", ["stop", "start"])
@pytest.mark.parametrize("target", [None, "stopped"])
def test_the_server_is_what_it_was_or_what_was_asked_for(
    moves: RebuildRole, was: str, target: str | None
) -> None:
    uuid = boot(moves)
    if was == "stop":
        moves.cloud.verb(uuid, "stop")
    moves.evacuate(uuid, target_state=target)
    state = "stopped" if "stop" in (was, target and "stop") else "active"
    assert moves.states(uuid) == (state, None, SECOND)
    assert moves.migrations(uuid)[-1]["status"] == "done"


def test_a_server_in_error_is_active_afterwards(moves: RebuildRole) -> None:
    uuid = boot(moves)
    moves.cloud.set_fields(uuid, vm_state="error")
    moves.evacuate(uuid, target_state="stopped")
    assert moves.states(uuid) == ("active", None, SECOND)


@pytest.mark.parametrize("said", [None, True])
def test_disks_on_shared_storage_are_used_as_they_are(moves: RebuildRole, said: bool | None) -> None:
    uuid = boot(moves)
    give_disks(moves, uuid)
    moves.evacuate(uuid, on_shared_storage=said)
    assert moves.states(uuid) == ("active", None, SECOND)


def test_disks_on_shared_storage_survive_a_failure(moves: RebuildRole) -> None:
    uuid = boot(moves)
    give_disks(moves, uuid)
    moves.cloud.agents[SECOND].conf.set_override("fail", ["spawn:*:NovaException"], "fake")
    moves.evacuate(uuid)
    assert moves.states(uuid) == ("error", None, HOST)
    assert moves.guest(uuid, SECOND) is None
    assert has_disks(moves, uuid)


def bindings(moves: RebuildRole, uuid: str) -> list[tuple[str, list[str]]]:
    """Where each port of a server is bound, and where else."""
    return [
        (port["host"], port.get("inactive_hosts", []))
        for port in moves.cloud.rows("Port", instance_uuid=uuid)
    ]


def refused(moves: RebuildRole, uuid: str, vm_state: str, **more: Any) -> None:
    """An evacuation that must fail: what is left is as before it."""
    migration = moves.evacuate(uuid, **more)
    assert moves.states(uuid) == (vm_state, None, HOST)
    assert moves.cloud.row(uuid)["migration_context"] is None
    assert moves.migration(migration).status == "failed"
    assert set(moves.holds(uuid)) == {HOST}
    assert (moves.claims(SECOND, uuid), moves.claims(HOST, uuid)) == (0, 1)
    assert moves.node(SECOND)["memory_mb_used"] == 512
    assert bindings(moves, uuid) == [(HOST, [])]
    assert len(moves.cloud.faults(uuid)) == 1
    assert moves.cloud.events(uuid)[-1] == ("compute_rebuild_instance", "Error")
    assert moves.guest(uuid).boots == 1


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"on_shared_storage": True}, "shared storage"),
        ({"target_state": "paused"}, "paused"),
    ],
)
def test_what_this_host_cannot_do_ends_in_error(moves: RebuildRole, more: dict[str, Any], word: str) -> None:
    uuid = boot(moves)
    refused(moves, uuid, "error", **more)
    assert word in moves.cloud.faults(uuid)[0]


def test_disks_that_are_here_although_nobody_shares_them(moves: RebuildRole) -> None:
    uuid = boot(moves)
    give_disks(moves, uuid)
    refused(moves, uuid, "error", on_shared_storage=False)
    assert has_disks(moves, uuid)


def test_no_room_leaves_the_server_what_it_was(
    make_pair: Callable[..., Any], listen: Callable[..., Any]
) -> None:
    moves = RebuildRole(make_pair())
    uuid = boot(moves)
    notices = listen(moves.cloud.agents[SECOND].host)
    from computed import objects

    limits = objects.SchedulerLimits(numa_topology=None, memory_mb=513, disk_gb=None, vcpu=None)
    refused(moves, uuid, "active", limits=limits)
    # By this its host knows, when it returns, that the guest is to run.
    assert moves.cloud.row(uuid)["power_state"] == PowerState.RUNNING
    assert "MiB of memory" in moves.cloud.faults(uuid)[0]
    assert notices.names() == ["rebuild.error", "exception rebuild_instance"]


@pytest.mark.parametrize("operation", ["spawn", "has_disks_of", "state"])
def test_a_driver_that_fails(moves: RebuildRole, operation: str) -> None:
    uuid = boot(moves)
    error = "HypervisorUnavailable" if operation == "state" else "NovaException"
    if operation == "has_disks_of":
        driver = moves.cloud.agents[SECOND].host.driver

        def fail(instance: Any) -> bool:
            raise errors.NovaException("no disks to be seen")

        driver.has_disks_of = fail  # type: ignore[method-assign]
    # power_state is read before anything; the question whether there is a guest comes second.
    moves.cloud.agents[SECOND].conf.set_override("fail", [f"{operation}:*:{error}"], "fake")
    if operation == "state":
        moves.evacuate(uuid)
        assert moves.states(uuid) == ("active", None, HOST)
        return
    refused(moves, uuid, "error")
    assert moves.guest(uuid, SECOND) is None


def test_a_guest_that_is_here_already_is_not_touched(moves: RebuildRole) -> None:
    uuid = boot(moves)
    store = moves.cloud.agents[SECOND].host.driver._store  # type: ignore[attr-defined]
    store.add(FakeGuest(uuid, uuid, 1, boots=7))
    refused(moves, uuid, "error")
    assert moves.guest(uuid, SECOND).boots == 7


def test_an_order_that_comes_twice_is_done_once(moves: RebuildRole) -> None:
    uuid = boot(moves)
    migration = moves.evacuate(uuid)
    guest = moves.guest(uuid, SECOND)
    moves.again()
    assert moves.states(uuid) == ("active", None, SECOND)
    assert moves.guest(uuid, SECOND) is guest
    assert moves.migration(migration).status == "done"
    assert set(moves.holds(uuid)) == {HOST, SECOND}
    assert moves.claims(SECOND, uuid) == 1


def test_two_orders_at_once_are_done_once(moves: RebuildRole) -> None:
    uuid = boot(moves)
    moves.cloud.agents[SECOND].conf.set_override("delays", {"spawn": "0.3"}, "fake")
    migration = moves.evacuate(uuid, wait=False)
    moves.again()
    moves.rest(uuid)
    assert moves.states(uuid) == ("active", None, SECOND)
    assert moves.migration(migration).status == "done"
    assert moves.claims(SECOND, uuid) == 1


@pytest.mark.parametrize("came_by_another", [False, True])
def test_an_order_after_a_reset_of_the_state_gives_back_what_was_taken_for_it(
    moves: RebuildRole, monkeypatch: pytest.MonkeyPatch, came_by_another: bool
) -> None:
    uuid = boot(moves)
    with monkeypatch.context() as patch:
        patch.setattr(moves.cloud.rpc, "cast", lambda *given, **more: None)
        migration = moves.evacuate(uuid, wait=False)
    _, _, late = moves.sent[-1]
    moves.cloud.set_fields(uuid, task_state=None, vm_state="error")
    if came_by_another:
        moves.evacuate(uuid)
    vm_state, _, host = moves.states(uuid)
    moves.sent.append((user_context(), SECOND, late))
    moves.again()
    assert moves.states(uuid) == (vm_state, None, host)
    assert moves.migration(migration).status == "failed"
    assert set(moves.holds(uuid)) == ({HOST, SECOND} if came_by_another else {HOST})
    assert moves.claims(SECOND, uuid) == (1 if came_by_another else 0)


def test_an_order_after_the_delete_leaves_nothing(moves: RebuildRole) -> None:
    uuid = boot(moves)
    moves.cloud.agents[SECOND].conf.set_override("delays", {"state": "0.5"}, "fake")
    migration = moves.evacuate(uuid, wait=False)
    moves.cloud.delete(uuid)
    moves.cloud.settle()
    assert moves.guest(uuid, SECOND) is None
    assert (moves.holds(uuid), moves.claims(SECOND, uuid)) == ({}, 0)
    assert moves.migration(migration).status == "failed"
    assert moves.cloud.rows("Port", instance_uuid=uuid) == []


def test_a_delete_in_the_middle_wins(moves: RebuildRole) -> None:
    uuid = boot(moves)
    moves.cloud.agents[SECOND].conf.set_override("delays", {"spawn": "0.5"}, "fake")
    migration = moves.evacuate(uuid, wait=False)
    moves.cloud.wait_for(uuid, task_state="rebuild_spawning")
    moves.cloud.delete(uuid)
    moves.cloud.settle()
    assert moves.guest(uuid, SECOND) is None
    assert (moves.holds(uuid), moves.claims(SECOND, uuid)) == ({}, 0)
    assert moves.migration(migration).status == "failed"


def test_what_it_costs(moves: RebuildRole) -> None:
    uuid = boot(moves)
    with moves.cloud.counting() as counts:
        moves.evacuate(uuid)
    assert counts.conductor_calls <= 11, counts.conductor
    assert counts.placement_requests <= 1, counts.placement
