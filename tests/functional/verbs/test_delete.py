"""Deletions: everything goes, in order, with few questions; failures leave a server that can be deleted."""

import pytest

from computed import errors, objects
from computed.states import PowerState
from tests.functional.verbs.bench import lose_every_first


@pytest.fixture
def server(bench):
    return bench.boot()


def test_nothing_stays(bench, server):
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)
    record = bench.fetch(server.uuid, read_deleted="yes")
    assert (record.vm_state, record.task_state, record.power_state) == ("deleted", None, 0)
    assert record.terminated_at is not None
    assert bench.driver.states() == {}
    assert bench.network.ports == {}
    assert bench.allocation(server.uuid) == {}
    node = bench.rows("ComputeNode", host=bench.conf.host)[0]
    assert (node["vcpus_used"], node["running_vms"]) == (0, 0)
    assert bench.events(server.uuid)[-1] == ("compute_terminate_instance", "Success")
    assert bench.fault(server.uuid) is None


def test_notifications_in_order(bench, server):
    bench.notices.told.clear()
    bench.delete(server.uuid)
    assert [row[1:4] for row in bench.notices.told] == [
        ("delete.start", "active", "deleting"),
        ("shutdown.start", "active", "deleting"),
        ("shutdown.end", "active", "deleting"),
        ("delete.end", "deleted", None),
    ]


@pytest.mark.parametrize("crowd", [0, 8])
def test_what_it_asks_whatever_the_number_of_servers_here(bench, crowd):
    for number in range(crowd):
        bench.boot(f"other-{number}")
    server = bench.boot("last")
    disks = bench.disks(server.uuid)
    instance = bench.set_task(server.uuid, "deleting")
    bench.begin_action(server.uuid, "delete")
    with bench.counting() as counts:
        bench.cast("terminate_instance", instance=instance, bdms=disks)
        bench.settle()
    assert bench.is_deleted(server.uuid)
    assert counts.conductor == [
        "InstanceActionEvent.event_start",
        "Instance.save",
        "ComputeNode.save",
        "Instance.destroy",
        "InstanceActionEvent.event_finish_with_failure",
    ]
    assert counts.placement == [("DELETE", f"/allocations/{server.uuid}")]


@pytest.mark.parametrize("what", ["Instance.save", "Instance.destroy"])
@pytest.mark.parametrize("is_done", [False, True], ids=["lost question", "lost answer"])
def test_a_conductor_that_is_away_for_a_moment(make_bench, what, is_done):
    bench = make_bench(rpc_response_timeout=1)
    server = bench.boot()
    instance, disks = bench.set_task(server.uuid, "deleting"), bench.disks(server.uuid)
    bench.begin_action(server.uuid, "delete")
    lose_every_first(bench, what, is_done=is_done)
    bench.cast("terminate_instance", instance=instance, bdms=disks)
    bench.settle()
    assert bench.is_deleted(server.uuid)
    assert bench.fault(server.uuid) is None
    assert bench.allocation(server.uuid) == {}
    assert bench.notices.names(server.uuid)[-1] == "delete.end"


def test_given_ports_stay(bench):
    port = "cccccccc-0000-4000-8000-000000000001"
    server = bench.boot(networks=[objects.NetworkRequest(port_id=port)])
    bench.delete(server.uuid)
    assert bench.network.ports[port]["owner"] is None


def test_twice_is_as_good_as_once(bench, server):
    message = {"instance": bench.set_task(server.uuid, "deleting"), "bdms": bench.disks(server.uuid)}
    bench.begin_action(server.uuid, "delete")
    for _ in range(2):
        bench.cast("terminate_instance", **message)
    bench.settle()
    assert bench.is_deleted(server.uuid)
    assert bench.fault(server.uuid) is None
    assert bench.allocation(server.uuid) == {}


def test_a_guest_that_is_gone_already_is_no_obstacle(bench, server):
    bench.driver._store.remove(server.uuid, keep_disks=False)
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)


@pytest.mark.parametrize(
    ("error", "keeps_ports"),
    [("InstancePowerOffFailure", True), ("HypervisorUnavailable", True), ("NovaException", False)],
)
def test_a_guest_that_cannot_be_destroyed(bench, server, error, keeps_ports):
    bench.conf.set_override("fail", [f"destroy:*:{error}:1"], "fake")
    bench.delete(server.uuid)
    assert bench.states(server.uuid) == ("error", None)
    assert bool(bench.network.of(server.uuid)) is keeps_ports
    # By these the next try unplugs what the guest has.
    assert bool(bench.fetch(server.uuid).get_network_info()) is keeps_ports
    assert bench.fault(server.uuid) is not None
    assert bench.allocation(server.uuid) != {}
    assert bench.events(server.uuid)[-1] == ("compute_terminate_instance", "Error")
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)
    assert bench.network.ports == {}


def test_a_guest_that_libvirt_does_not_let_go_of_keeps_its_ports(bench, server, monkeypatch):
    def refuse(uuid, *, keep_disks):
        raise errors.LibvirtFailed("cannot acquire state change lock", code=68)

    with monkeypatch.context() as patch:
        patch.setattr(bench.driver._store, "remove", refuse)
        bench.delete(server.uuid)
    assert bench.states(server.uuid) == ("error", None)
    assert bench.network.of(server.uuid)
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)
    assert bench.network.ports == {}


def test_a_network_that_keeps_the_ports(bench, server):
    bench.network.fails["deallocate"] = errors.PortBindingDeletionFailed(port_id="p", host="h")
    bench.delete(server.uuid)
    assert bench.states(server.uuid) == ("error", None)
    bench.network.fails.clear()
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)


def test_placement_that_keeps_the_allocation(bench, server):
    delete = bench.placement.delete_allocations

    def fail(context, uuid):
        raise errors.AllocationDeleteFailed(consumer_uuid=uuid, error="no")

    bench.placement.delete_allocations = fail
    bench.delete(server.uuid)
    assert bench.states(server.uuid) == ("error", None)
    assert not bench.is_deleted(server.uuid)
    bench.placement.delete_allocations = delete
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)
    assert bench.allocation(server.uuid) == {}


def test_a_server_of_another_host_is_not_ours_to_delete(bench, server):
    instance = bench.set_task(server.uuid, "deleting", host="elsewhere")
    bench.cast("terminate_instance", instance=instance, bdms=bench.disks(server.uuid))
    bench.settle()
    assert bench.states(server.uuid) == ("active", "deleting")
    assert server.uuid in bench.driver.states()
    assert bench.network.of(server.uuid)


def test_softly_deleted_and_restored(bench, server):
    bench.notices.told.clear()
    bench.verb("soft_delete_instance", server.uuid, "soft-deleting")
    assert bench.states(server.uuid) == ("soft-delete", None)
    assert bench.driver.states()[server.uuid].power_state == PowerState.SHUTDOWN
    assert bench.network.of(server.uuid)
    assert bench.allocation(server.uuid) != {}
    bench.verb("restore_instance", server.uuid, "restoring")
    assert bench.states(server.uuid) == ("active", None)
    assert bench.driver.states()[server.uuid].power_state == PowerState.RUNNING
    assert bench.notices.names(server.uuid) == [
        "soft_delete.start", "soft_delete.end", "restore.start", "restore.end"
    ]  # fmt: skip


def test_softly_deleted_and_then_deleted_by_force(bench, server):
    bench.verb("soft_delete_instance", server.uuid, "soft-deleting")
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)
    assert bench.driver.states() == {}
