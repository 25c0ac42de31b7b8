"""Whatever goes wrong in a live migration: the server runs on one host, and nothing is left on the other."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest

from computed import errors, objects
from computed.embedded.servers import user_context
from computed.states import Action, MigrationStatus, MigrationType, TaskState
from tests.functional.cloud import HOST, Cloud
from tests.functional.live_migration.world import World, make_world

THERE = "second"


@pytest.fixture
def world(make_pair: Callable[..., Cloud]) -> World:
    return make_world(make_pair)


def last_migration(world: World, uuid: str) -> str:
    return str(world.role.migrations(uuid)[-1]["uuid"])


# Checks


@pytest.mark.parametrize(
    ("host", "operation"),
    [(THERE, "check_live_migration_destination"), (HOST, "check_live_migration_source")],
)
def test_a_check_that_refuses(world: World, host: str, operation: str) -> None:
    uuid = world.boot()
    world.set(host, fail=[f"{operation}:*:InvalidCPUInfo:1"])
    with pytest.raises(errors.NovaException) as caught:
        world.role.live_migrate(uuid, to=THERE)
    # Both make the conductor try another host.
    assert isinstance(caught.value, errors.Invalid | errors.MigrationPreCheckError)
    migration = last_migration(world, uuid)
    world.assert_stayed(uuid, migration, "error")
    assert ("compute_check_can_live_migrate_destination", "Error") in world.cloud.events(uuid)
    assert len(world.cloud.faults(uuid)) == (1 if host == THERE else 2)


def test_no_room_at_the_destination(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = world.boot()

    def refuse(*arguments: Any, **more: Any) -> None:
        raise errors.ComputeResourcesUnavailable(reason="no memory left")

    monkeypatch.setattr(world.cloud.agents[THERE].host.tracker, "live_migration_claim", refuse)
    with pytest.raises(errors.MigrationPreCheckError, match="no memory left"):
        world.role.live_migrate(uuid, to=THERE)
    world.assert_stayed(uuid, last_migration(world, uuid), "error")


def test_a_check_leaves_nothing_held(world: World) -> None:
    uuid = world.boot()
    context = user_context()
    migration = world.role.make_migration(
        uuid, MigrationType.LIVE_MIGRATION, status=MigrationStatus.ACCEPTED, dest_compute=THERE
    )
    data = world.cloud.rpc.call(
        "check_can_live_migrate_destination",
        context=context,
        version="6.0",
        server=THERE,
        instance=world.role.instance(uuid, context),
        block_migration=None,
        disk_over_commit=None,
        migration=world.role.migration(migration),
        limits=None,
    )
    assert world.used(THERE) == 0 and world.driver(THERE)._coming == {}
    assert data.is_volume_backed is False and data.old_vol_attachment_ids == {}
    assert [vif.port_id for vif in data.vifs] == [vif["id"] for vif in world.network_info(uuid)]


def test_to_where_it_is_already(world: World) -> None:
    uuid = world.boot()
    with pytest.raises(errors.UnableToMigrateToSelf):
        world.role.live_migrate(uuid, to=HOST)
    assert world.guests(HOST) == {uuid}
    assert world.cloud.row(uuid)["task_state"] is None


def test_a_server_group_that_wants_to_be_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = world.boot()
    (other,) = world.cloud.boot(host=THERE)
    group = objects.InstanceGroup(
        uuid="dddddddd-0000-4000-8000-000000000001",
        policy="anti-affinity",
        members=[uuid, other],
        _rules={},
    )
    asked: list[str] = []

    def find(context: Any, instance_uuid: str) -> Any:
        asked.append(instance_uuid)
        return group

    monkeypatch.setattr(objects.InstanceGroup, "get_by_instance_uuid", staticmethod(find))
    with pytest.raises(errors.MigrationPreCheckError, match="Anti-affinity"):
        world.role.live_migrate(uuid, to=THERE)
    assert asked == [uuid]
    assert world.guests(HOST) == {uuid}


# Preparing


@pytest.mark.parametrize("is_block", [False, True])
def test_the_destination_cannot_get_ready(world: World, is_block: bool) -> None:
    uuid = world.boot()
    world.set(THERE, fail=["prepare_live_migration:*:NovaException:1"])
    world.notices.clear()
    with world.statuses() as seen:
        migration = world.role.live_migrate(uuid, to=THERE, block_migration=is_block)
    world.assert_stayed(uuid, migration, "failed")
    assert seen == ["preparing", "failed"]
    assert ("compute_pre_live_migration", "Error") in world.cloud.events(uuid)
    assert world.cloud.faults(uuid)
    told = [name for name in world.notices.names(uuid) if "live" in name]
    assert told[0] == "instance.live_migration_pre.start"
    assert [name for name in told if "rollback." in name] == [
        "instance.live_migration_rollback.start",
        "instance.live_migration_rollback.end",
    ]
    # And it can be tried again.
    again = world.role.live_migrate(uuid, to=THERE)
    assert world.status(again) == "completed" and world.guests(THERE) == {uuid}


def test_the_destination_does_not_answer(make_pair: Callable[..., Cloud]) -> None:
    world = make_world(make_pair, first={"long_rpc_timeout": 1, "rpc_response_timeout": 1})
    uuid = world.boot()
    world.set(THERE, delays={"prepare_live_migration": "2"})
    migration = world.role.live_migrate(uuid, to=THERE)
    world.cloud.wait(lambda: world.status(migration) == "failed", "the rollback")
    world.cloud.settle()
    row = world.cloud.row(uuid)
    assert (row["host"], row["vm_state"], row["task_state"]) == (HOST, "active", None)
    assert world.guests(HOST) == {uuid} and world.guests(THERE) == set()
    assert set(world.role.holds(uuid)) == {HOST} and world.role.holds(migration) == {}
    assert world.bindings(uuid) == [(HOST, [])]


# On its way


@pytest.mark.parametrize("is_block", [False, True])
def test_the_hypervisor_does_not_let_it_go(world: World, is_block: bool) -> None:
    uuid = world.boot()
    world.set(HOST, fail=["live_migrate:*:MigrationError:1"])
    world.notices.clear()
    with world.statuses() as seen:
        migration = world.role.live_migrate(uuid, to=THERE, block_migration=is_block)
    world.assert_stayed(uuid, migration, "failed")
    assert seen == ["preparing", "running", "failed"]
    assert world.cloud.faults(uuid)
    told = [name.removeprefix("instance.") for name in world.notices.names(uuid) if "rollback" in name]
    if is_block:
        assert sorted(told) == [
            "live_migration_rollback.end",
            "live_migration_rollback.start",
            "live_migration_rollback_dest.end",
            "live_migration_rollback_dest.start",
        ]
        assert ("compute_rollback_live_migration_at_destination", "Success") in world.cloud.events(uuid)
    else:
        # Shared storage: the destination has nothing to clean up, so it is not asked to.
        assert told == ["live_migration_rollback.start", "live_migration_rollback.end"]


def test_nobody_knows_where_the_guest_is(world: World) -> None:
    uuid = world.boot()
    world.set(HOST, fail=["live_migrate:*:HypervisorUnavailable:1"])
    migration = world.role.live_migrate(uuid, to=THERE)
    row = world.cloud.row(uuid)
    assert (row["host"], row["vm_state"], row["task_state"]) == (HOST, "error", None)
    assert world.status(migration) == "error"
    # Nothing is taken away from either host.
    assert set(world.role.holds(uuid)) == {THERE} and set(world.role.holds(migration)) == {HOST}
    assert world.bindings(uuid) == [(HOST, [THERE])]
    assert world.guests(HOST) == {uuid}
    assert world.cloud.faults(uuid)


# There


def test_what_fails_behind_the_guest_does_not_stop_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = world.boot()
    world.set(HOST, fail=["end_live_migration_at_source:*:NovaException:1"])

    def fail(*arguments: Any, **more: Any) -> None:
        raise errors.PortBindingActivationFailed(port_id="p", host=THERE)

    monkeypatch.setattr(world.cloud.embedded.network, "activate_bindings", fail)
    migration = world.role.live_migrate(uuid, to=THERE)
    assert world.status(migration) == "completed"
    assert world.guests(THERE) == {uuid} and world.guests(HOST) == set()
    assert world.bindings(uuid) == [(THERE, [])]
    assert world.used(HOST) == 0 and world.used(THERE) == 1
    assert world.cloud.row(uuid)["vm_state"] == "active"


def test_the_destination_does_not_keep_it(world: World) -> None:
    uuid = world.boot()
    world.set(THERE, fail=["receive_guest:*:NovaException:1"])
    migration = world.role.live_migrate(uuid, to=THERE)
    row = world.cloud.row(uuid)
    assert (row["host"], row["node"], row["vm_state"], row["task_state"]) == (THERE, THERE, "error", None)
    assert world.status(migration) == "error"
    assert ("compute_post_live_migration_at_destination", "Error") in world.cloud.events(uuid)
    assert world.cloud.faults(uuid)
    assert set(world.role.holds(uuid)) == {THERE} and world.role.holds(migration) == {}
    assert world.used(HOST) == 0 and world.used(THERE) == 1
    # Its owner can bring it up again, or delete it.
    world.cloud.delete(uuid)
    assert world.used(THERE) == 0


def test_the_network_fails_at_the_destination(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = world.boot()

    def fail(*arguments: Any, **more: Any) -> None:
        raise errors.PortUpdateFailed(port_id="p", reason="no")

    monkeypatch.setattr(world.cloud.embedded.network, "bind_to_host", fail)
    migration = world.role.live_migrate(uuid, to=THERE)
    row = world.cloud.row(uuid)
    assert (row["host"], row["vm_state"], row["task_state"]) == (THERE, "error", None)
    assert world.status(migration) == "error" and world.guests(THERE) == {uuid}


def test_the_destination_says_nothing_at_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = world.boot()

    def fail(*arguments: Any, **more: Any) -> None:
        raise errors.ComputeTimeout("no answer in time")

    computes = world.cloud.agents[HOST].host.computes
    monkeypatch.setattr(computes, "post_live_migration_at_destination", fail)
    migration = world.role.live_migrate(uuid, to=THERE)
    row = world.cloud.row(uuid)
    node = world.role.node(THERE)
    assert (row["host"], row["node"], row["compute_id"]) == (THERE, THERE, node["id"])
    assert (row["vm_state"], row["task_state"]) == ("error", None)
    assert world.status(migration) == "error"
    assert world.role.holds(migration) == {} and world.used(HOST) == 0


# Others in between


def test_deleted_on_its_way(world: World) -> None:
    uuid = world.boot()
    world.set(HOST, delays={"live_migrate": "5"})
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    world.cloud.wait(lambda: uuid in world.driver(HOST)._leaving, "it to leave")
    world.cloud.delete(uuid)
    world.cloud.settle()
    assert world.guests(HOST) == set() and world.guests(THERE) == set()
    assert world.driver(THERE)._coming == {} or world.used(THERE) == 0
    assert world.role.holds(uuid) == {} and world.role.holds(migration) == {}
    assert world.bindings(uuid) == []
    assert world.used(HOST) == 0 and world.used(THERE) == 0
    assert world.status(migration) == "cancelled"


def test_deleted_while_it_arrives(world: World) -> None:
    uuid = world.boot()
    done = world.cloud.trouble("Instance", "save", errors.InstanceNotFound(instance_id=uuid)).done
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    assert done.wait(10)
    world.cloud.settle()
    assert world.guests(HOST) == set() and world.guests(THERE) == set()
    assert world.used(HOST) == 0 and world.used(THERE) == 0
    assert world.status(migration) == "error"
    assert world.role.holds(migration) == {}


def test_ordered_twice(world: World) -> None:
    uuid = world.boot()
    world.set(HOST, delays={"live_migrate": "0.3"})
    with world.doubled("live_migration"):
        migration = world.role.live_migrate(uuid, to=THERE)
    assert world.status(migration) == "completed"
    assert world.guests(THERE) == {uuid} and world.guests(HOST) == set()
    assert [event for event, _ in world.cloud.events(uuid)].count("compute_pre_live_migration") == 1
    assert world.cloud.row(uuid)["vm_state"] == "active"


@pytest.mark.parametrize("is_block", [False, True])
def test_told_again_that_it_does_not_come_when_it_has(
    world: World, monkeypatch: pytest.MonkeyPatch, is_block: bool
) -> None:
    uuid = world.boot()
    method = "rollback_live_migration_at_destination" if is_block else "drop_move_claim_at_destination"
    computes, again = world.cloud.agents[HOST].host.computes, []
    send = getattr(computes, method)

    def keep(context: Any, host: str, **given: Any) -> None:
        kept = copy.deepcopy(given)
        again.append(lambda: send(context, host, **kept))
        send(context, host, **given)

    monkeypatch.setattr(computes, method, keep)
    world.set(HOST, fail=["live_migrate:*:MigrationError:1"])
    failed = world.role.live_migrate(uuid, to=THERE, block_migration=is_block)
    world.assert_stayed(uuid, failed, "failed")
    assert len(again) == 1
    migration = world.role.live_migrate(uuid, to=THERE, block_migration=is_block)
    assert world.status(migration) == "completed"
    world.notices.clear()
    again[0]()
    world.cloud.settle()
    row = world.cloud.row(uuid)
    assert (row["host"], row["vm_state"], row["task_state"]) == (THERE, "active", None)
    assert world.guests(THERE) == {uuid} and world.driver(THERE).has_disks_of(world.cloud.instance(uuid))
    assert world.bindings(uuid) == [(THERE, [])]
    assert world.used(HOST) == 0 and world.used(THERE) == 1
    assert set(world.role.holds(uuid)) == {THERE}
    assert world.notices.names(uuid) == []


@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_ordered_again_after_it_has_ended(world: World, outcome: str) -> None:
    uuid = world.boot()
    if outcome == "failed":
        world.set(HOST, fail=["live_migrate:*:MigrationError:1"])
    with world.recorded("live_migration") as messages:
        migration = world.role.live_migrate(uuid, to=THERE)
    assert world.status(migration) == outcome
    for message in messages:
        world.cloud.rpc.cast(**message)
    world.cloud.settle()
    assert world.status(migration) == outcome
    assert world.guests(THERE if outcome == "completed" else HOST) == {uuid}
    assert (world.cloud.row(uuid)["vm_state"], world.cloud.row(uuid)["task_state"]) == ("active", None)


def test_ordered_again_after_a_restart(world: World) -> None:
    uuid = world.boot()
    with world.recorded("live_migration") as messages:
        migration = world.role.live_migrate(uuid, to=THERE)
    world.cloud.restart_agent()
    for message in messages:
        world.cloud.rpc.cast(**message)
    world.cloud.settle()
    assert world.status(migration) == "completed"
    assert world.guests(THERE) == {uuid} and world.cloud.row(uuid)["vm_state"] == "active"


def test_ordered_after_its_deletion(world: World) -> None:
    uuid = world.boot()
    with world.recorded("live_migration", deliver=False) as messages:
        migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    world.cloud.set_fields(uuid, task_state=None)
    world.cloud.delete(uuid)
    for message in messages:
        world.cloud.rpc.cast(**message)
    world.cloud.settle()
    assert world.status(migration) == "failed"
    assert world.guests(HOST) == set() and world.guests(THERE) == set()
    assert world.role.holds(uuid) == {} and world.role.holds(migration) == {}
    assert world.used(HOST) == 0 and world.used(THERE) == 0


# The agent dies


def dying(monkeypatch: pytest.MonkeyPatch, target: Any, method: str) -> threading.Event:
    """Let the agent's thread that calls the method end there; the event is set when it does.

    A thread that went on in an agent that is dead would reach the database as soon as the next agent has
    opened the way to it: objects of all agents go one way.
    """
    died = threading.Event()

    def die(*arguments: Any, **more: Any) -> None:
        died.set()
        raise SystemExit

    monkeypatch.setattr(target, method, die)
    monkeypatch.setattr("threading.excepthook", lambda arguments: None)
    return died


def test_the_source_dies_on_the_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = world.boot()
    died = dying(monkeypatch, world.driver(HOST), "_travel")
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    assert died.wait(10)
    assert world.status(migration) == "running" and world.guests(HOST) == {uuid}
    world.cloud.kill_agent()
    world.cloud.start_agent()
    world.cloud.settle()
    row = world.cloud.row(uuid)
    assert (row["host"], row["vm_state"], row["task_state"]) == (HOST, "active", None)
    assert world.status(migration) == "error"
    assert set(world.role.holds(uuid)) == {HOST} and world.role.holds(migration) == {}
    assert world.bindings(uuid) == [(HOST, [])]


def test_the_source_dies_when_the_guest_has_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = world.boot()
    computes = world.cloud.agents[HOST].host.computes
    died = dying(monkeypatch, computes, "post_live_migration_at_destination")
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    assert died.wait(10)
    world.cloud.kill_agent()
    assert world.status(migration) == "running" and world.guests(HOST) == set()
    world.cloud.start_agent()
    world.cloud.settle()
    row = world.cloud.row(uuid)
    assert (row["host"], row["node"], row["vm_state"], row["task_state"]) == (THERE, THERE, "active", None)
    assert world.status(migration) == "completed" and world.guests(THERE) == {uuid}
    assert set(world.role.holds(uuid)) == {THERE} and world.role.holds(migration) == {}
    assert world.bindings(uuid) == [(THERE, [])]
    assert world.used(HOST) == 0 and world.used(THERE) == 1


def test_the_destination_restarts_while_the_guest_comes(make_pair: Callable[..., Cloud]) -> None:
    impatient = {"manager_shutdown_timeout": 1, "graceful_shutdown_timeout": 2}
    world = make_world(make_pair, second=impatient)
    uuid = world.boot()
    world.set(HOST, delays={"live_migrate": "20"})
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    world.cloud.wait(lambda: uuid in world.driver(HOST)._leaving, "it to leave")
    there = world.cloud.agents[THERE]
    there.stop()
    there.start()
    assert world.used(THERE) == 1
    world.role.force(uuid)
    world.cloud.wait_for(uuid, task_state=None)
    world.cloud.settle()
    assert world.status(migration) == "completed" and world.guests(THERE) == {uuid}
    assert world.used(HOST) == 0 and world.used(THERE) == 1
    there.run_periodic("update_available_resource")
    assert world.used(THERE) == 1


def test_the_zone_changes_only_if_the_server_gets_there(world: World) -> None:
    uuid = world.boot()
    zone = world.cloud.row(uuid)["availability_zone"]
    with world.zone("elsewhere"):
        world.set(HOST, fail=["live_migrate:*:MigrationError:1"])
        world.role.live_migrate(uuid, to=THERE)
        assert world.cloud.row(uuid)["availability_zone"] == zone
        world.role.live_migrate(uuid, to=THERE)
    assert world.cloud.row(uuid)["availability_zone"] == "elsewhere"


@pytest.mark.parametrize("status", ["accepted", "queued", "preparing", "running"])
def test_a_start_ends_what_was_interrupted(world: World, status: str) -> None:
    uuid = world.boot()
    world.cloud.stop_agent()
    world.role.begin(user_context(), uuid, Action.LIVE_MIGRATION, TaskState.MIGRATING)
    migration = world.role.make_migration(
        uuid, MigrationType.LIVE_MIGRATION, status=MigrationStatus(status), dest_compute=THERE
    )
    world.role.move_allocations(uuid, migration)
    world.role.claim(uuid, THERE, world.flavor(uuid))
    world.cloud.start_agent()
    world.assert_stayed(uuid, migration, "error")
