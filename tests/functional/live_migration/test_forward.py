"""A running server moves to another host: guest, ports, room and records go along, and nothing stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from computed.states import PowerState
from tests.functional.cloud import HOST, Cloud
from tests.functional.live_migration.world import World, make_world
from tests.functional.notices import Notices

THERE = "second"


@pytest.fixture
def world(make_pair: Callable[..., Cloud]) -> World:
    return make_world(make_pair)


def test_everything_goes_along(world: World) -> None:
    uuid = world.boot()
    world.notices.clear()
    migration = world.role.live_migrate(uuid, to=THERE)
    row = world.cloud.row(uuid)
    assert (row["host"], row["node"], row["compute_id"]) == (THERE, THERE, world.role.node(THERE)["id"])
    assert (row["vm_state"], row["task_state"], row["power_state"]) == ("active", None, PowerState.RUNNING)
    assert world.guests(HOST) == set() and world.guests(THERE) == {uuid}
    assert not world.driver(HOST).has_disks_of(world.cloud.instance(uuid))
    assert world.console(uuid, THERE).splitlines()[-1] == "ARRIVED"
    assert "BOOT 1" in world.console(uuid, THERE) and "BOOT 2" not in world.console(uuid, THERE)
    assert world.status(migration) == "completed"
    assert world.bindings(uuid) == [(THERE, [])]
    assert set(world.role.holds(uuid)) == {THERE} and world.role.holds(migration) == {}
    assert world.used(HOST) == 0 and world.used(THERE) == 1
    assert world.cloud.faults(uuid) == []


def test_events_and_notifications_in_order(world: World) -> None:
    uuid = world.boot()
    world.notices.clear()
    world.role.live_migrate(uuid, to=THERE)
    assert [event for event in world.cloud.events(uuid) if "live" in event[0]] == [
        ("compute_check_can_live_migrate_destination", "Success"),
        ("compute_check_can_live_migrate_source", "Success"),
        ("compute_live_migration", "Success"),
        ("compute_pre_live_migration", "Success"),
        ("compute_post_live_migration_at_destination", "Success"),
    ]
    # As recorded of two stock agents (contract: transcripts/stock-fake-two-hosts.jsonl).
    assert [(notice.event_type, notice.publisher) for notice in world.notices.all()] == [
        ("instance.live_migration_pre.start", f"nova-compute:{THERE}"),
        ("instance.live_migration_pre.end", f"nova-compute:{THERE}"),
        ("instance.live_migration_post.start", f"nova-compute:{HOST}"),
        ("instance.live_migration_post_dest.start", f"nova-compute:{THERE}"),
        ("instance.live_migration_post_dest.end", f"nova-compute:{THERE}"),
        ("instance.live_migration_post.end", f"nova-compute:{HOST}"),
    ]
    states = [(notice.payload["state"], notice.payload["task_state"]) for notice in world.notices.all()]
    assert states == [("active", "migrating")] * 4 + [("active", None)] + [("active", "migrating")]


def test_statuses_that_others_see(world: World) -> None:
    uuid = world.boot()
    with world.statuses() as seen:
        world.role.live_migrate(uuid, to=THERE)
    assert seen == ["preparing", "running", "completed"]


def test_there_and_back_again(world: World) -> None:
    uuid = world.boot()
    for to, left in ((THERE, HOST), (HOST, THERE), (THERE, HOST)):
        migration = world.role.live_migrate(uuid, to=to)
        assert world.status(migration) == "completed"
        assert world.guests(to) == {uuid} and world.guests(left) == set()
        assert world.bindings(uuid) == [(to, [])]
        assert set(world.role.holds(uuid)) == {to} and world.role.holds(migration) == {}
        assert world.used(left) == 0 and world.used(to) == 1
    world.cloud.delete(uuid)
    assert world.guests(THERE) == set() and world.used(THERE) == 0


def test_a_paused_server_arrives_paused(world: World) -> None:
    uuid = world.boot()
    world.driver(HOST).pause(world.cloud.instance(uuid))
    world.cloud.set_fields(uuid, vm_state="paused", power_state=int(PowerState.PAUSED))
    world.role.live_migrate(uuid, to=THERE)
    row = world.cloud.row(uuid)
    assert (row["host"], row["vm_state"], row["power_state"]) == (THERE, "paused", PowerState.PAUSED)
    assert world.driver(THERE).states()[uuid].power_state == PowerState.PAUSED


@pytest.mark.parametrize("is_block", [True, False])
def test_block_migration_leaves_no_disks_behind(world: World, is_block: bool) -> None:
    uuid = world.boot()
    migration = world.role.live_migrate(uuid, to=THERE, block_migration=is_block)
    assert world.status(migration) == "completed"
    assert world.guests(THERE) == {uuid}
    assert not world.driver(HOST).has_disks_of(world.cloud.instance(uuid))


def test_the_audits_find_nothing_to_correct(world: World) -> None:
    uuid = world.boot()
    world.role.live_migrate(uuid, to=THERE)
    for host, used in ((HOST, 0), (THERE, 1)):
        world.cloud.agents[host].run_periodic("update_available_resource")
        assert world.used(host) == used
        assert world.role.node(host)["running_vms"] == used
        assert world.role.node(host)["memory_mb_used"] >= 0


def test_progress_is_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("computed.operations.live_migration.departure.PROGRESS_SECONDS", 0.05)
    uuid = world.boot()
    world.set(HOST, delays={"live_migrate": "0.5"})
    migration = world.role.live_migrate(uuid, to=THERE)
    record = world.role.migration(migration)
    mib = 1024 * 1024
    assert record.memory_total == world.cloud.row(uuid)["memory_mb"] * mib
    assert 0 < record.memory_processed <= record.memory_total
    assert record.memory_processed + record.memory_remaining == record.memory_total
    assert (record.disk_total, record.disk_processed, record.disk_remaining) == (0, 0, 0)
    assert world.cloud.row(uuid)["progress"] == 0
    assert record.status == "completed"


def test_nobody_reaches_the_old_console(make_pair: Callable[..., Cloud]) -> None:
    world = make_world(make_pair, first={"vnc.enabled": True})
    uuid = world.boot()
    world.cloud.rpc.call("get_vnc_console", console_type="novnc", instance=world.cloud.instance(uuid))
    assert world.cloud.rows("ConsoleAuthToken", instance_uuid=uuid)
    world.role.live_migrate(uuid, to=THERE)
    assert world.cloud.rows("ConsoleAuthToken", instance_uuid=uuid) == []


def test_it_is_told_as_stock_agents_tell_it(world: World) -> None:
    facts = Path(__file__).parents[2] / "contract" / "facts" / "notification_transcripts"
    recorded = json.loads((facts / "live_migration.json").read_text())
    legacy = Notices(world.cloud.bus, topic="notifications")
    uuid = world.boot()
    world.notices.clear()
    legacy.clear()
    world.role.live_migrate(uuid, to=THERE)
    roles = {HOST: "source", THERE: "dest"}
    for notices, separator in ((legacy, "."), (world.notices, ":")):
        told = []
        for notice in notices.all():
            kind, _, host = notice.publisher.partition(separator)
            told.append((notice.event_type, f"{kind}{separator}{roles[host]}", sorted(notice.payload)))
        stock = []
        for event, publisher, _, shape in recorded["events"]:
            if separator in publisher:
                keys = recorded["shapes"][shape]
                payload = keys if isinstance(keys, list) else next(iter(keys.values()))
                stock.append((event, publisher, sorted(payload)))
        assert told == stock
