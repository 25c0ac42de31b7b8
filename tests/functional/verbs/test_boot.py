"""Boots that succeed: records, ports, disks, notifications, counts."""

import pytest

from computed import objects
from computed.states import PowerState
from tests.functional.verbs.bench import wait_until

BUILD_EVENT = "compute__do_build_and_run_instance"


def test_a_boot_with_one_port(bench):
    server = bench.boot()
    assert server.power_state == PowerState.RUNNING
    assert (server.host, server.node, server.launched_on) == (bench.conf.host,) * 3
    assert server.compute_id == bench.host.tracker.compute_node(bench.conf.host).id
    assert server.launched_at is not None
    assert server.root_device_name == "/dev/sda"
    assert [disk.device_name for disk in bench.disks(server.uuid)] == ["/dev/sda"]
    assert bench.driver.states()[server.uuid].power_state == PowerState.RUNNING
    assert bench.events(server.uuid) == [(BUILD_EVENT, "Success")]
    assert bench.fault(server.uuid) is None
    [port] = bench.network.of(server.uuid)
    assert port["host"] == bench.conf.host
    assert [vif["id"] for vif in server.info_cache.network_info] == [port["id"]]
    [interface] = bench.rows("VirtualInterface", instance_uuid=server.uuid)
    assert interface["uuid"] == port["id"]
    assert interface["address"].endswith("/" + port["id"])
    assert "boot_roles" in server.system_metadata


def test_its_notifications_in_order_with_the_states_they_tell(bench):
    server = bench.boot()
    told = [row[1:] for row in bench.notices.told if row[0] == server.uuid]
    assert told == [
        ("create.start", "building", None, None),
        ("create.end", "active", None, bench.conf.host),
    ]


@pytest.mark.parametrize("crowd", [0, 8])
def test_what_it_asks_whatever_the_number_of_servers_here(bench, crowd):
    for number in range(crowd):
        bench.boot(f"other-{number}")
    instance = bench.new_server()
    with bench.counting() as counts:
        bench.build(instance)
    assert bench.states(instance.uuid) == ("active", None)
    assert counts.conductor == [
        "InstanceActionEvent.event_start",
        "Instance.save",
        "BlockDeviceMapping.save",
        "VirtualInterface.create",
        "Instance.save",
        "Instance.save",
        "ComputeNode.save",
        "Instance.save",
        "InstanceActionEvent.event_finish_with_failure",
    ]
    assert counts.placement == [("GET", f"/allocations/{instance.uuid}")]


def test_without_a_network(bench):
    server = bench.boot(networks="none")
    assert bench.network.ports == {}
    assert list(server.info_cache.network_info) == []


def test_with_the_network_of_the_project(bench):
    server = bench.boot(networks="auto")
    assert len(bench.network.of(server.uuid)) == 1


def test_with_two_given_ports_and_their_tags(bench):
    ports = [f"cccccccc-0000-4000-8000-00000000000{number}" for number in (1, 2)]
    requests = [objects.NetworkRequest(port_id=port, tag=f"tag{port[-1]}") for port in ports]
    server = bench.boot(networks=requests)
    assert [vif["id"] for vif in server.info_cache.network_info] == ports
    rows = bench.rows("VirtualInterface", instance_uuid=server.uuid)
    assert {row["uuid"]: row["tag"] for row in rows} == dict(zip(ports, ("tag1", "tag2"), strict=True))


def test_image_ephemeral_and_swap(bench):
    disks = [
        {"source_type": "image", "image_id": "aaaaaaaa-1111-4000-8000-000000000001", "boot_index": 0},
        {"source_type": "blank", "boot_index": -1, "volume_size": 2, "device_name": None},
        {"source_type": "blank", "boot_index": -1, "volume_size": 64, "guest_format": "swap"},
    ]
    instance = bench.new_server(disks=disks, flavor=bench.flavor(ephemeral_gb=2, swap=64))
    bench.build(instance)
    assert bench.states(instance.uuid) == ("active", None)
    named = {disk.guest_format or disk.source_type: disk.device_name for disk in bench.disks(instance.uuid)}
    assert named == {"image": "/dev/sda", "blank": "/dev/sdb", "swap": "/dev/sdc"}


def test_the_ledger_counts_it(bench):
    bench.boot()
    node = bench.rows("ComputeNode", host=bench.conf.host)[0]
    assert (node["vcpus_used"], node["running_vms"]) == (1, 1)
    assert node["memory_mb_used"] == 96 + bench.conf.reserved_host_memory_mb


def test_waiting_for_plugs_that_come_before_anybody_could_wait(make_bench):
    """A network may speak while the port is being bound."""
    bench = make_bench(**{"fake.vif_plug_events": True, "vif_plugging_timeout": 30})

    def speak(instance, ports):
        event(bench, instance.uuid, "network-vif-plugged", ports[0]["id"])
        bench.call("get_host_uptime")

    bench.network.on_allocate = speak
    bench.boot()


def test_waiting_for_plugs_that_come_late(make_bench):
    bench = make_bench(**{"fake.vif_plug_events": True, "vif_plugging_timeout": 30})
    instance = bench.new_server()
    bench.build(instance, wait=False)
    wait_until(lambda: instance.uuid in bench.driver.states(), "the spawn")
    assert bench.states(instance.uuid) == ("building", "spawning")
    event(bench, instance.uuid, "network-vif-plugged", bench.network.of(instance.uuid)[0]["id"])
    bench.settle()
    assert bench.states(instance.uuid) == ("active", None)


def test_plugs_that_never_come_may_be_forgiven(make_bench):
    bench = make_bench(
        **{"fake.vif_plug_events": True, "vif_plugging_timeout": 1, "vif_plugging_is_fatal": False}
    )
    bench.boot()


def test_a_limited_number_of_builds_at_once(make_bench):
    bench = make_bench(**{"max_concurrent_builds": 1, "fake.delays": {"spawn": "0.2"}})
    servers = [bench.new_server(f"web-{number}") for number in range(3)]
    for server in servers:
        bench.build(server, wait=False)
    bench.settle()
    assert {bench.states(server.uuid) for server in servers} == {("active", None)}
    order = [row[1] for row in bench.notices.told]
    assert order == ["create.start", "create.end"] * 3


def event(bench, instance_uuid, name, tag, status="completed"):
    bench.cast(
        "external_instance_event",
        topic="compute-alt",
        instances=[bench.fetch(instance_uuid)],
        events=[
            objects.InstanceExternalEvent(instance_uuid=instance_uuid, name=name, tag=tag, status=status)
        ],
    )
