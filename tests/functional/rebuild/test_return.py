"""What a host does at its start about evacuations: those from it while it was away, those to it that it did
not bring to an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from computed import errors, objects
from computed.operations import recover
from computed.operations.recover import evacuated, second_look
from computed.states import MigrationStatus, MigrationType, PowerState
from computed.virt.fake.store import FakeGuest
from tests.functional.conductor_role import ConductorRole
from tests.functional.fleet import HOST
from tests.functional.images.owner import Owner
from tests.functional.rebuild.role import RebuildRole
from tests.functional.rebuild.test_volumes import attachments, give_volume, is_consistent
from tests.functional.resize.test_restart import restart

SECOND = "second"


@pytest.fixture
def left(moves: RebuildRole) -> str:
    """A server that was evacuated to the second host while the first was down."""
    (uuid,) = moves.cloud.boot(host=HOST)
    moves.cloud.stop_agent()
    moves.evacuate(uuid)
    assert moves.states(uuid) == ("active", None, SECOND)
    return uuid


def knows(moves: RebuildRole, uuid: str, host: str = HOST) -> Any:
    """Guest or disks that the hypervisor of a host remembers."""
    return moves.cloud.agents[host].host.driver._store.find(uuid)  # type: ignore[attr-defined]


def come_back(moves: RebuildRole) -> None:
    moves.cloud.start_agent()
    moves.cloud.settle()


def test_guest_disks_and_allocation_go(moves: RebuildRole, left: str) -> None:
    assert set(moves.holds(left)) == {HOST, SECOND}
    come_back(moves)
    assert knows(moves, left) is None
    assert set(moves.holds(left)) == {SECOND}
    assert moves.migrations(left)[-1]["status"] == "completed"
    assert moves.states(left) == ("active", None, SECOND)
    assert moves.guest(left, SECOND).boots == 1
    assert len(moves.cloud.rows("Port", instance_uuid=left)) == 1


def test_the_next_start_finds_nothing_to_do(moves: RebuildRole, left: str) -> None:
    come_back(moves)
    moves.cloud.host.driver._store.add(FakeGuest(left, left, 1))  # type: ignore[attr-defined]
    moves.cloud.restart_agent()
    moves.cloud.settle()
    assert knows(moves, left) is not None


def test_disks_without_a_guest_go_too(moves: RebuildRole, left: str) -> None:
    moves.cloud.host.driver._store.remove(left, keep_disks=True)  # type: ignore[attr-defined]
    come_back(moves)
    assert knows(moves, left) is None


def test_a_host_that_lost_its_guests_still_gives_the_allocation_back(moves: RebuildRole, left: str) -> None:
    moves.cloud.host.driver._store.remove(left, keep_disks=False)  # type: ignore[attr-defined]
    come_back(moves)
    assert set(moves.holds(left)) == {SECOND}


def test_nothing_is_removed_when_the_hypervisor_cannot_be_read(moves: RebuildRole, left: str) -> None:
    moves.cloud.conf.set_override("fail", ["states:*:HypervisorUnavailable"], "fake")
    come_back(moves)
    assert knows(moves, left).defined
    assert set(moves.holds(left)) == {HOST, SECOND}
    assert moves.migrations(left)[-1]["status"] == "done"


def test_nothing_is_removed_when_one_guest_cannot_be_read(moves: RebuildRole, left: str) -> None:
    moves.cloud.conf.set_override("fail", ["state:*:HypervisorUnavailable"], "fake")
    come_back(moves)
    assert knows(moves, left).defined
    assert moves.migrations(left)[-1]["status"] == "done"


def test_a_server_that_has_come_back_is_kept(moves: RebuildRole, left: str) -> None:
    moves.cloud.set_fields(left, host=HOST, node=HOST)
    come_back(moves)
    assert knows(moves, left).defined
    assert set(moves.holds(left)) == {HOST, SECOND}


def test_a_server_that_is_coming_back_is_kept(moves: RebuildRole, left: str) -> None:
    moves.cloud.set_fields(left, task_state="migrating")
    come_back(moves)
    assert knows(moves, left).defined


def test_a_deleted_server_is_left_to_others(moves: RebuildRole, left: str) -> None:
    moves.cloud.delete(left)
    come_back(moves)
    assert knows(moves, left).defined
    assert moves.holds(left) == {}


def test_a_clean_up_that_waits_longer_than_the_start_goes_by_what_it_reads_then(
    make_pair: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recover, "PATIENCE_SECONDS", 0.1)
    moves = RebuildRole(make_pair(first={"sync_power_state_pool_size": 1}))
    uuids = moves.cloud.boot(2, host=HOST)
    moves.cloud.stop_agent()
    for uuid in uuids:
        moves.evacuate(uuid)
    moves.cloud.conf.set_override("delays", {"destroy": "1"}, "fake")
    moves.cloud.start_agent()
    # The one that waits for the other is used meanwhile.
    for uuid in uuids:
        moves.cloud.set_fields(uuid, vm_state="stopped")
    moves.cloud.settle()
    assert [knows(moves, uuid) for uuid in uuids] == [None, None]
    assert [set(moves.holds(uuid)) for uuid in uuids] == [{SECOND}, {SECOND}]


def test_what_is_left_of_a_server_goes_that_was_shelved_since(moves: RebuildRole, left: str) -> None:
    context, order = Owner(moves.cloud).shelving(left)
    moves.cloud.rpc.cast("shelve_instance", context=context, server=SECOND, **order)
    moves.cloud.wait_for(left, vm_state="shelved_offloaded", task_state=None, host=None)
    come_back(moves)
    assert knows(moves, left) is None
    assert moves.holds(left) == {}
    assert moves.migrations(left)[-1]["status"] == "completed"
    assert moves.states(left) == ("shelved_offloaded", None, None)


@pytest.mark.parametrize(
    ("mark", "answer", "kept"),
    [
        (lambda *_: {"filename": "x"}, lambda *_: True, True),
        (lambda *_: {"filename": "x"}, lambda *_: False, False),
        (lambda *_: None, lambda *_: False, True),
        (lambda *_: {"filename": "x"}, None, True),
    ],
    ids=["seen there", "not seen there", "on shared block storage", "no answer"],
)
def test_disks_that_the_new_host_sees_stay(
    moves: RebuildRole,
    left: str,
    monkeypatch: pytest.MonkeyPatch,
    mark: Callable[..., Any],
    answer: Callable[..., bool] | None,
    kept: bool,
) -> None:
    unmarked: list[Any] = []
    driver = type(moves.cloud.host.driver)
    monkeypatch.setattr(driver, "mark_storage", lambda self, context, instance: mark())
    monkeypatch.setattr(driver, "unmark_storage", lambda self, context, data: unmarked.append(data))

    def look(context: Any, data: Any) -> bool:
        if answer is None:
            raise errors.NovaException("cannot look")
        return answer()

    monkeypatch.setattr(moves.cloud.agents[SECOND].host.driver, "sees_shared_storage", look)
    come_back(moves)
    guest = knows(moves, left)
    assert (guest is not None and not guest.defined) if kept else guest is None
    assert unmarked == ([] if mark() is None else [{"filename": "x"}])
    assert moves.migrations(left)[-1]["status"] == "completed"


def under_way(
    moves: RebuildRole, status: MigrationStatus, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """A server whose evacuation to the second host is under way when the first comes back."""
    monkeypatch.setattr(evacuated, "LOOK_AGAIN_SECONDS", 0.05)
    (uuid,) = moves.cloud.boot(host=HOST)
    moves.cloud.stop_agent()
    moves.cloud.set_fields(uuid, task_state="rebuild_spawning")
    migration = moves.make_migration(
        uuid, MigrationType.EVACUATION, status=status, dest_compute=SECOND, dest_node=SECOND
    )
    come_back(moves)
    assert moves.states(uuid) == ("active", "rebuild_spawning", HOST)
    assert knows(moves, uuid).defined
    return uuid, migration


@pytest.mark.parametrize("status", [MigrationStatus.ACCEPTED, MigrationStatus.PRE_MIGRATING])
def test_an_evacuation_under_way_is_cleaned_up_after_once_it_is_done(
    moves: RebuildRole, status: MigrationStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid, migration = under_way(moves, status, monkeypatch)
    moves.cloud.set_fields(uuid, host=SECOND, node=SECOND, task_state=None)
    moves.set_migration(migration, status=MigrationStatus.DONE)
    moves.cloud.wait(lambda: knows(moves, uuid) is None, "the clean-up")
    moves.cloud.wait(lambda: moves.migration(migration).status == "completed", "the end of the migration")


def evacuated_twice(moves: RebuildRole) -> str:
    """The first order was lost, and the conductor sends the second one with the record of the first: that of
    the second stays as it was made."""
    (uuid,) = moves.cloud.boot(host=HOST)
    moves.cloud.stop_agent()
    make = moves.make_migration
    first = make(uuid, MigrationType.EVACUATION, status=MigrationStatus.ACCEPTED, dest_compute=SECOND)

    def make_another(*given: Any, **more: Any) -> str:
        make(*given, **more)
        return first

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves, "make_migration", make_another)
        moves.evacuate(uuid, to=SECOND)
    assert [each["status"] for each in moves.migrations(uuid)] == ["done", "accepted"]
    return uuid


def test_the_record_of_a_second_order_may_stay_as_it_was_made(moves: RebuildRole) -> None:
    uuid = evacuated_twice(moves)
    come_back(moves)
    assert knows(moves, uuid) is None
    assert set(moves.holds(uuid)) == {SECOND}
    assert [each["status"] for each in moves.migrations(uuid)] == ["completed", "completed"]
    assert moves.states(uuid) == ("active", None, SECOND)


def test_the_way_back_of_a_server_that_was_evacuated_and_resized_since_stays(
    moves: RebuildRole, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(second_look, "GRACE_SECONDS", 0.1)
    moves.cloud.add_host("third")
    uuid = evacuated_twice(moves)
    role = ConductorRole(moves.cloud)
    role.resize(uuid, "m1.micro", to="third")
    restart(moves.cloud, SECOND)
    moves.cloud.wait(lambda: f"{uuid} has gone on" in caplog.text, "the second look")
    moves.cloud.settle()
    assert knows(moves, uuid, SECOND) is not None
    role.revert(uuid)
    assert moves.states(uuid) == ("active", None, SECOND), moves.cloud.faults(uuid)


def test_attachments_of_a_server_that_leaves_stay_although_a_record_is_open(
    moves: RebuildRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_look, "GRACE_SECONDS", 1.0)
    uuid = evacuated_twice(moves)
    volume = give_volume(moves, uuid, host=SECOND)
    moves.cloud.add_host("third")
    agent = moves.cloud.agents[SECOND]
    agent.stop()
    agent.start()
    agent.conf.set_override("delays", {"live_migrate": "4"}, "fake")
    migration = ConductorRole(moves.cloud).live_migrate(uuid, to="third", wait=False)
    moves.cloud.wait(lambda: moves.migrations(uuid)[1]["status"] == "done", "the second look")
    assert moves.migration(migration).status == "running"
    assert {host for _, host in attachments(moves, volume)} == {SECOND, "third"}
    moves.cloud.settle()
    assert moves.states(uuid) == ("active", None, "third")
    is_consistent(moves, volume, "third")


def test_disks_of_a_resized_server_stay_as_long_as_an_evacuation_is_open(
    moves: RebuildRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid, _ = under_way(moves, MigrationStatus.ACCEPTED, monkeypatch)
    moves.cloud.set_fields(uuid, host=SECOND, node=SECOND, vm_state="resized", task_state=None)
    moves.cloud.restart_agent()
    moves.cloud.settle()
    assert knows(moves, uuid).defined


def test_a_server_whose_evacuation_fails_is_this_hosts_again(
    moves: RebuildRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid, migration = under_way(moves, MigrationStatus.PRE_MIGRATING, monkeypatch)
    # Somebody has reset its state; the task is what a restart makes good.
    moves.cloud.set_fields(uuid, task_state="powering-off")
    moves.set_migration(migration, status=MigrationStatus.FAILED)
    moves.cloud.wait_for(uuid, vm_state="stopped", task_state=None)
    assert knows(moves, uuid).defined


def test_a_guest_runs_again_whose_evacuation_did_it_no_harm(make_pair: Callable[..., Any]) -> None:
    moves = RebuildRole(make_pair(first={"resume_guests_state_on_host_boot": True}))
    (uuid,) = moves.cloud.boot(host=HOST)
    moves.cloud.stop_agent()
    limits = objects.SchedulerLimits(numa_topology=None, memory_mb=513, disk_gb=None, vcpu=None)
    moves.evacuate(uuid, limits=limits)
    assert moves.states(uuid) == ("active", None, HOST)
    with moves.cloud.host.driver._store.changing(uuid) as guest:  # type: ignore[attr-defined]
        guest.power_state = PowerState.SHUTDOWN
    come_back(moves)
    assert knows(moves, uuid).power_state == PowerState.RUNNING


def interrupted(
    moves: RebuildRole, status: MigrationStatus = MigrationStatus.PRE_MIGRATING, **fields: Any
) -> tuple[str, str]:
    """A server that the second host was taking over when it crashed."""
    (uuid,) = moves.cloud.boot(host=HOST)
    second = moves.cloud.agents[SECOND]
    second.stop()
    moves.cloud.set_fields(uuid, **{"task_state": "rebuild_spawning", **fields})
    migration = moves.make_migration(
        uuid,
        MigrationType.EVACUATION,
        status=status,
        source_compute=HOST,
        source_node=HOST,
        dest_compute=SECOND,
        dest_node=SECOND,
    )
    from computed.embedded.flavors import find_flavor

    moves.claim(uuid, SECOND, find_flavor("m1.nano"), beside=True)
    second.host.driver._store.add(FakeGuest(uuid, uuid, 1))  # type: ignore[attr-defined]
    second.host.network.bind_to_host(None, moves.cloud.instance(uuid), host=SECOND)
    return uuid, migration


def start_second(moves: RebuildRole) -> None:
    moves.cloud.agents[SECOND].start()
    moves.cloud.settle()


def test_an_evacuation_that_a_crash_has_interrupted_ends_in_error(moves: RebuildRole) -> None:
    uuid, migration = interrupted(moves)
    start_second(moves)
    assert moves.states(uuid) == ("error", None, HOST)
    assert "restarted" in moves.cloud.faults(uuid)[0]
    assert knows(moves, uuid, SECOND) is None
    assert knows(moves, uuid).defined
    assert set(moves.holds(uuid)) == {HOST}
    assert moves.migration(migration).status == "failed"
    assert [port["host"] for port in moves.cloud.rows("Port", instance_uuid=uuid)] == [HOST]


@pytest.mark.parametrize("status", [MigrationStatus.PRE_MIGRATING, MigrationStatus.ACCEPTED])
def test_an_interrupted_one_leaves_the_server_to_the_host_that_it_goes_to_since(
    moves: RebuildRole, status: MigrationStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_look, "GRACE_SECONDS", 0.1)
    moves.cloud.add_host("third")
    uuid, first = interrupted(moves, status)
    # Somebody has reset its state and evacuates it again.
    moves.cloud.set_fields(uuid, task_state=None, vm_state="error")
    moves.cloud.agents["third"].conf.set_override("delays", {"spawn": "2"}, "fake")
    second = moves.evacuate(uuid, to="third", wait=False)
    moves.cloud.wait_for(uuid, task_state="rebuild_spawning")
    moves.cloud.agents[SECOND].start()
    moves.cloud.wait(lambda: moves.migration(first).status == "failed", "the end of the first")
    moves.cloud.settle()
    assert moves.states(uuid) == ("active", None, "third")
    assert [port["host"] for port in moves.cloud.rows("Port", instance_uuid=uuid)] == ["third"]
    assert moves.migration(second).status == "done"
    assert moves.cloud.faults(uuid) == []
    assert knows(moves, uuid, SECOND) is None
    assert set(moves.holds(uuid)) == {HOST, "third"}


def test_one_that_had_arrived_is_done(moves: RebuildRole) -> None:
    uuid, migration = interrupted(moves, host=SECOND, node=SECOND, task_state=None)
    start_second(moves)
    assert moves.states(uuid) == ("active", None, SECOND)
    assert knows(moves, uuid, SECOND).defined
    assert set(moves.holds(uuid)) == {HOST, SECOND}
    assert moves.migration(migration).status == "done"


def test_one_that_had_arrived_and_was_to_be_stopped_is_stopped(moves: RebuildRole) -> None:
    uuid, migration = interrupted(moves, host=SECOND, node=SECOND, task_state="powering-off")
    start_second(moves)
    assert moves.states(uuid) == ("stopped", None, SECOND)
    assert moves.migration(migration).status == "done"


def test_an_order_that_was_lost_before_it_began(moves: RebuildRole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_look, "GRACE_SECONDS", 0.3)
    uuid, migration = interrupted(moves, MigrationStatus.ACCEPTED, task_state="rebuilding")
    moves.cloud.agents[SECOND].host.driver._store.remove(uuid, keep_disks=False)  # type: ignore[attr-defined]
    moves.cloud.agents[SECOND].start()
    assert moves.states(uuid) == ("active", "rebuilding", HOST)
    moves.cloud.wait_for(uuid, vm_state="error", task_state=None)
    moves.cloud.settle()
    assert moves.migration(migration).status == "failed"
    assert set(moves.holds(uuid)) == {HOST}
