"""The agent is started again: what it finds is brought to a state that its owner can work with."""

import pytest

from computed.operations.recover import second_look
from computed.states import PowerState
from tests.functional.verbs.bench import wait_until


def put(bench, instance_uuid, **fields):
    """Write into the record, as a crash may have left it."""
    with bench.store.transaction() as records:
        row = records.first("Instance", uuid=instance_uuid)
        records.update("Instance", row, fields)


@pytest.mark.parametrize("count", [0, 1, 10])
def test_servers_that_are_well_are_left_alone(bench, count):
    servers = [bench.boot(f"web-{number}") for number in range(count)]
    before = [bench.rows("Instance", uuid=server.uuid) for server in servers]
    guests = bench.driver.states()
    with bench.counting() as counts:
        bench.restart()
        bench.settle()
    assert bench.driver.states() == guests
    assert [bench.rows("Instance", uuid=server.uuid) for server in servers] == before
    assert all(bench.fault(server.uuid) is None for server in servers)
    # the start's own questions, its audit's and those of the recovery, however many the servers
    assert counts.conductor.count("InstanceList.get_by_host") == 2
    assert len(counts.conductor) <= 13
    assert not [what for what in counts.conductor if what.startswith("Instance.")]


@pytest.mark.parametrize("task_state", ["networking", "block_device_mapping", "spawning"])
def test_a_build_that_was_interrupted(bench, task_state):
    server = bench.boot()
    put(bench, server.uuid, vm_state="building", task_state=task_state)
    bench.restart()
    assert bench.states(server.uuid) == ("error", None)
    assert "restart" in bench.fault(server.uuid)["message"]
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)
    assert bench.driver.states() == {}


def test_a_build_that_had_not_been_claimed(bench, monkeypatch):
    monkeypatch.setattr(second_look, "GRACE_SECONDS", 0.1)
    instance = bench.new_server()
    bench.restart()
    wait_until(lambda: bench.states(instance.uuid) == ("error", None), "the end of the build")
    assert "restart" in bench.fault(instance.uuid)["message"]


def test_a_build_whose_order_is_still_in_the_queue_is_built(bench):
    instance = bench.new_server()
    bench.stop()
    bench.build(instance, wait=False)
    bench.start()
    bench.settle()
    assert bench.states(instance.uuid) == ("active", None)
    assert bench.fault(instance.uuid) is None


def test_a_deletion_is_finished(bench):
    server = bench.boot()
    put(bench, server.uuid, task_state="deleting")
    bench.restart()
    assert bench.is_deleted(server.uuid)
    assert bench.driver.states() == {}
    assert bench.network.ports == {}
    assert bench.allocation(server.uuid) == {}


def test_a_deletion_that_lacked_only_its_record(bench):
    server = bench.boot()
    bench.driver._store.remove(server.uuid, keep_disks=False)
    put(bench, server.uuid, vm_state="deleted", task_state=None)
    bench.restart()
    assert bench.is_deleted(server.uuid)
    assert bench.allocation(server.uuid) == {}


@pytest.mark.parametrize(
    ("vm_state", "task_state", "guest", "expected"),
    [
        ("active", "powering-off", PowerState.RUNNING, ("stopped", PowerState.SHUTDOWN)),
        ("active", "powering-off", PowerState.SHUTDOWN, ("stopped", PowerState.SHUTDOWN)),
        ("stopped", "powering-on", PowerState.SHUTDOWN, ("active", PowerState.RUNNING)),
        ("active", "reboot_pending", PowerState.RUNNING, ("active", PowerState.RUNNING)),
        ("active", "reboot_started", PowerState.SHUTDOWN, ("active", PowerState.RUNNING)),
        ("active", "reboot_started_hard", PowerState.RUNNING, ("active", PowerState.RUNNING)),
        ("active", "rebooting_hard", PowerState.SHUTDOWN, ("active", PowerState.RUNNING)),
        ("active", "image_uploading", PowerState.RUNNING, ("active", PowerState.RUNNING)),
        ("active", "suspending", PowerState.RUNNING, ("active", PowerState.RUNNING)),
        ("active", "migrating", PowerState.RUNNING, ("active", PowerState.RUNNING)),
    ],
)
def test_what_was_under_way(bench, vm_state, task_state, guest, expected):
    server = bench.boot()
    bench.driver.change_by_itself(server.uuid, PowerState.RUNNING)
    with bench.driver._store.changing(server.uuid) as known:
        known.power_state = guest
    put(bench, server.uuid, vm_state=vm_state, task_state=task_state)
    bench.restart()
    record = bench.fetch(server.uuid)
    assert (record.vm_state, record.task_state) == (expected[0], None)
    assert bench.driver.states()[server.uuid].power_state == expected[1]


def test_one_server_that_cannot_be_recovered_stops_nobody(bench):
    servers = [bench.boot(f"web-{number}") for number in range(3)]
    for server in servers:
        put(bench, server.uuid, task_state="powering-off")
    bench.conf.set_override("fail", [f"power_off:{servers[1].uuid}:NovaException"], "fake")
    bench.restart()
    assert [bench.states(server.uuid) for server in servers] == [
        ("stopped", None),
        ("active", None),
        ("stopped", None),
    ]
    assert "ordered" in bench.fault(servers[1].uuid)["message"]


def test_a_hypervisor_that_cannot_be_asked_costs_no_server_anything(bench):
    servers = [bench.boot(f"web-{number}") for number in range(2)]
    put(bench, servers[0].uuid, task_state="powering-off")
    bench.conf.set_override("fail", ["states:*:HypervisorUnavailable"], "fake")
    bench.restart()
    assert bench.states(servers[0].uuid) == ("active", "powering-off")
    assert bench.states(servers[1].uuid) == ("active", None)
    assert all(bench.fault(server.uuid) is None for server in servers)


@pytest.mark.parametrize("wanted", [True, False])
def test_guests_that_ran_when_the_host_went_down(make_bench, wanted):
    bench = make_bench(resume_guests_state_on_host_boot=wanted)
    server = bench.boot()
    with bench.driver._store.changing(server.uuid) as known:
        known.power_state = PowerState.SHUTDOWN
    bench.restart()
    state = bench.driver.states()[server.uuid].power_state
    assert state == (PowerState.RUNNING if wanted else PowerState.SHUTDOWN)


def test_verbs_wait_for_their_servers_recovery_and_then_work(bench):
    server = bench.boot()
    bench.restart()
    bench.verb("stop_instance", server.uuid, "powering-off", clean_shutdown=True)
    assert bench.states(server.uuid) == ("stopped", None)
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)


def test_a_guest_that_goes_down_by_itself_is_noticed_at_once(bench):
    server = bench.boot()
    bench.driver.change_by_itself(server.uuid, PowerState.SHUTDOWN)
    wait_until(lambda: bench.states(server.uuid) == ("stopped", None), "the stop")
