"""The periodic tasks of the first verbs, run on a real agent."""

import datetime

import pytest

from computed.periodic import (
    build_timeout,
    network_cache,
    power_states,
    reclaim,
    running_deleted,
    scheduler_sync,
    usage_audit,
)
from computed.states import PowerState
from computed.virt.fake.store import FakeGuest
from tests.functional.verbs.bench import in_thread

LONG_AGO = "2020-01-01T00:00:00Z"


def put(bench, instance_uuid, **fields):
    with bench.store.transaction() as records:
        row = records.first("Instance", uuid=instance_uuid)
        records.update("Instance", row, fields)


def set_guest(bench, server, state):
    with bench.driver._store.changing(server.uuid) as known:
        known.power_state = state


def run(bench, task):
    with bench.counting() as counts:
        task(bench.host, bench.context)
        assert bench.host.lanes.wait_idle(10)
    return counts


@pytest.mark.parametrize("crowd", [0, 1, 8])
def test_a_power_sync_in_which_nothing_changed_asks_once(bench, crowd):
    for number in range(crowd):
        bench.boot(f"web-{number}")
    counts = run(bench, power_states.sync_power_states)
    assert counts.conductor == ["InstanceList.get_by_host"]
    assert counts.placement == []


@pytest.mark.parametrize(
    ("vm_state", "recorded", "guest", "expected"),
    [
        ("active", PowerState.RUNNING, PowerState.SHUTDOWN, ("stopped", PowerState.SHUTDOWN)),
        ("active", PowerState.RUNNING, PowerState.CRASHED, ("stopped", PowerState.SHUTDOWN)),
        ("stopped", PowerState.SHUTDOWN, PowerState.RUNNING, ("stopped", PowerState.SHUTDOWN)),
        ("paused", PowerState.PAUSED, PowerState.SHUTDOWN, ("stopped", PowerState.SHUTDOWN)),
        ("active", PowerState.RUNNING, PowerState.PAUSED, ("active", PowerState.PAUSED)),
        ("error", PowerState.RUNNING, PowerState.SHUTDOWN, ("error", PowerState.SHUTDOWN)),
        ("active", PowerState.NOSTATE, PowerState.RUNNING, ("active", PowerState.RUNNING)),
    ],
)
def test_power_sync(bench, vm_state, recorded, guest, expected):
    server = bench.boot()
    put(bench, server.uuid, vm_state=vm_state, power_state=int(recorded))
    set_guest(bench, server, guest)
    run(bench, power_states.sync_power_states)
    record = bench.fetch(server.uuid)
    assert (record.vm_state, record.power_state) == expected
    assert record.task_state is None
    assert bench.driver.states()[server.uuid].power_state == expected[1]


def test_a_server_with_a_task_is_left_alone_by_the_power_sync(bench):
    server = bench.boot()
    put(bench, server.uuid, task_state="rebooting")
    set_guest(bench, server, PowerState.SHUTDOWN)
    run(bench, power_states.sync_power_states)
    assert bench.states(server.uuid) == ("active", "rebooting")


def test_a_server_that_a_verb_is_working_on_is_left_alone_by_the_power_sync(bench):
    server = bench.boot()
    set_guest(bench, server, PowerState.SHUTDOWN)
    with bench.host.locks.hold(server.uuid):
        thread = in_thread(lambda: power_states.sync_power_states(bench.host, bench.context))
        thread.join(10)
        assert not thread.is_alive()
        assert bench.host.lanes.wait_idle(10)
    assert bench.states(server.uuid) == ("active", None)


def test_a_hypervisor_that_cannot_be_asked_stops_nobody(bench):
    server = bench.boot()
    set_guest(bench, server, PowerState.SHUTDOWN)
    bench.conf.set_override("fail", ["states:*:HypervisorUnavailable"], "fake")
    run(bench, power_states.sync_power_states)
    record = bench.fetch(server.uuid)
    assert (record.vm_state, record.power_state) == ("active", PowerState.RUNNING)


def test_a_stop_that_fails_in_the_power_sync_leaves_no_task_behind(bench):
    server = bench.boot()
    set_guest(bench, server, PowerState.SHUTDOWN)
    bench.conf.set_override("fail", ["power_off:*:NovaException"], "fake")
    run(bench, power_states.sync_power_states)
    assert bench.states(server.uuid) == ("active", None)


@pytest.mark.parametrize(("created", "expected"), [(LONG_AGO, "error"), (None, "building")])
def test_builds_that_take_too_long(make_bench, created, expected):
    bench = make_bench(instance_build_timeout=3600)
    server = bench.boot()
    put(bench, server.uuid, vm_state="building", **({"created_at": created} if created else {}))
    run(bench, build_timeout.check_build_time)
    assert bench.fetch(server.uuid).vm_state == expected
    assert (bench.fault(server.uuid) is not None) == (expected == "error")


@pytest.mark.parametrize("deleted_at", [LONG_AGO, None])
def test_reclaiming_what_was_deleted_softly(make_bench, deleted_at):
    bench = make_bench(reclaim_instance_interval=3600)
    server = bench.boot()
    put(bench, server.uuid, vm_state="soft-delete", deleted_at=deleted_at or now())
    run(bench, reclaim.reclaim_queued_deletes)
    assert bench.is_deleted(server.uuid) is bool(deleted_at)
    assert (server.uuid in bench.driver.states()) is not bool(deleted_at)


def now():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_server_restored_meanwhile_is_not_reclaimed(make_bench):
    bench = make_bench(reclaim_instance_interval=3600)
    server = bench.boot()
    put(bench, server.uuid, vm_state="soft-delete", deleted_at=LONG_AGO)
    bench.watch.before("Instance.refresh", lambda: put(bench, server.uuid, vm_state="active"))
    run(bench, reclaim.reclaim_queued_deletes)
    assert bench.states(server.uuid) == ("active", None)
    assert server.uuid in bench.driver.states()


@pytest.mark.parametrize(
    ("action", "guest"), [("reap", None), ("shutdown", PowerState.SHUTDOWN), ("log", PowerState.RUNNING)]
)
def test_guests_of_deleted_servers(make_bench, action, guest):
    bench = make_bench(running_deleted_instance_action=action)
    server, alive = bench.boot("gone"), bench.boot("alive")
    with bench.uncounted():
        bench.fetch(server.uuid).destroy()
    run(bench, running_deleted.cleanup_running_deleted_instances)
    found = bench.driver.states()
    assert found[alive.uuid].power_state == PowerState.RUNNING
    assert (found[server.uuid].power_state if server.uuid in found else None) == guest
    assert bench.states(alive.uuid) == ("active", None)
    assert len(bench.network.of(alive.uuid)) == 1


def test_a_guest_without_any_record_is_nobody_we_know(make_bench):
    bench = make_bench(running_deleted_instance_action="reap")
    server = bench.boot()
    stranger = "eeeeeeee-0000-4000-8000-000000000001"
    bench.driver._store.add(FakeGuest(stranger, "stranger", 1))
    counts = run(bench, running_deleted.cleanup_running_deleted_instances)
    assert set(bench.driver.states()) == {stranger, server.uuid}
    assert counts.conductor == ["InstanceList.get_by_filters"]


def test_without_guests_nobody_is_asked(bench):
    assert run(bench, running_deleted.cleanup_running_deleted_instances).conductor == []


def test_the_network_cache_is_healed_one_server_at_a_run(bench):
    servers = [bench.boot(f"web-{number}") for number in range(3)]
    for server in servers:
        bench.network.of(server.uuid)[0]["active"] = True
    healer = network_cache.Healer()
    healed = []
    for _ in servers:
        run(bench, healer)
        healed.append(sum(bench.fetch(s.uuid).info_cache.network_info[0]["active"] for s in servers))
    assert healed == [1, 2, 3]


def test_the_healer_goes_on_when_servers_are_gone(bench):
    servers = [bench.boot(f"web-{number}") for number in range(3)]
    healer = network_cache.Healer()
    run(bench, healer)
    for server in servers[1:]:
        bench.delete(server.uuid)
    run(bench, healer)
    assert len(bench.fetch(servers[0].uuid).info_cache.network_info) == 1


def test_schedulers_are_told_who_is_here(bench):
    uuids = {bench.boot(f"web-{number}").uuid for number in range(2)}
    told = []
    bench.host.scheduler.sync_instance_info = lambda context, names: told.append(set(names))
    assert len(run(bench, scheduler_sync.sync_scheduler_instance_info).conductor) == 1
    assert told == [uuids]


def test_usage_is_notified_once_a_period(make_bench):
    bench = make_bench(instance_usage_audit=True, instance_usage_audit_period="hour")
    server = bench.boot()
    put(bench, server.uuid, launched_at=LONG_AGO)
    for _ in range(2):
        run(bench, usage_audit.audit_instance_usage)
    assert bench.notices.names(server.uuid).count("exists") == 1
    [log] = bench.rows("TaskLog", host=bench.conf.host)
    assert (log["task_items"], log["errors"], log["state"]) == (1, 0, "DONE")
