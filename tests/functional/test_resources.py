"""What a whole host tells of its resources: to the conductor's records and to the real placement."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from keystoneauth1 import exceptions

from computed import errors
from computed.clients.placement import PlacementClient
from computed.context import get_admin_context
from computed.resources.tracker import ResourceTracker
from computed.virt.specs import HostCpuTimes
from tests.functional.cloud import HOST, Cloud
from tests.functional.notices import TOLD, Notices

AUDIT = "update_available_resource"
LIST = ("InstanceList", "get_by_host")
UUIDS = ("InstanceList", "get_uuids_by_host")
MIGRATIONS = ("MigrationList", "get_in_progress_and_error")


def audit(cloud: Cloud) -> None:
    cloud.run_periodic(AUDIT)


def node(cloud: Cloud, name: str = HOST) -> dict[str, Any]:
    (row,) = (row for row in nodes(cloud) if row["hypervisor_hostname"] == name)
    return row


def nodes(cloud: Cloud) -> list[dict[str, Any]]:
    return [row for row in cloud.rows("ComputeNode") if not row["deleted"]]


def used(cloud: Cloud, name: str = HOST) -> tuple[int, int, int, int]:
    row = node(cloud, name)
    return row["vcpus_used"], row["memory_mb_used"], row["local_gb_used"], row["running_vms"]


def placement(cloud: Cloud) -> PlacementClient:
    """A client of our own, whose requests the counts do not see."""
    adapter = cloud.embedded.placement._adapter
    return PlacementClient(adapter)


def root_traits(cloud: Cloud) -> frozenset[str]:
    return placement(cloud).traits(None, node(cloud)["uuid"])[0]


def root_inventories(cloud: Cloud) -> dict[str, dict[str, Any]]:
    return placement(cloud).inventories(None, node(cloud)["uuid"])[0]


# What an audit costs


@pytest.mark.parametrize("servers", [0, 3, 12])
def test_an_audit_in_which_nothing_changed(cloud: Cloud, servers: int) -> None:
    cloud.boot(servers)
    audit(cloud)
    with cloud.counting() as counts:
        audit(cloud)
    assert counts.conductor == {UUIDS: 1, MIGRATIONS: 1}
    assert counts.placement_requests == 1
    assert used(cloud) == (servers, 512 + 128 * servers, servers, servers)


@pytest.mark.parametrize("servers", [1, 8])
def test_a_first_audit_costs_the_same_however_many_servers_there_are(cloud: Cloud, servers: int) -> None:
    cloud.boot(servers)
    tracker = ResourceTracker(HOST, cloud.host.driver, cloud.embedded.placement, cloud.conf)
    with cloud.counting() as counts:
        tracker.update_available_resource(get_admin_context(), startup=True)
    disks = ("BlockDeviceMappingList", "get_by_instance_uuids")
    records = ("ComputeNodeList", "get_all_by_host")
    service = ("Service", "get_by_compute_host")
    saved = ("ComputeNode", "save")
    assert counts.conductor == dict.fromkeys((LIST, MIGRATIONS, disks, records, service, saved), 1)
    assert counts.placement_requests == 4
    assert used(cloud)[0] == servers


def test_the_states_of_servers_reach_the_node_at_the_next_audit(cloud: Cloud) -> None:
    cloud.boot(2)
    with cloud.counting() as counts:
        audit(cloud)
    assert counts.conductor == {UUIDS: 1, MIGRATIONS: 1, ("ComputeNode", "save"): 1}
    stats = node(cloud)["stats"]
    assert (stats["num_vm_active"], stats["num_instances"], stats["io_workload"]) == ("2", "2", "0")


def test_servers_come_and_go(cloud: Cloud) -> None:
    one, two = cloud.boot(2)
    assert used(cloud) == (2, 512 + 256, 2, 2)
    cloud.delete(one)
    assert used(cloud) == (1, 512 + 128, 1, 1)
    cloud.delete(two)
    audit(cloud)
    assert used(cloud) == (0, 512, 0, 0)
    assert cloud.host.tracker._nodes.get(HOST).ledger.entries() == {}


def test_a_build_that_fails_leaves_nothing(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud({"fake.fail": ["spawn:*:ComputeResourcesUnavailable"]})
    (server,) = cloud.boot(wait=False)
    cloud.wait_for(server, vm_state="error")
    cloud.settle()
    audit(cloud)
    assert used(cloud) == (0, 512, 0, 0)
    assert int(node(cloud)["stats"]["failed_builds"]) >= 1
    assert cloud.allocations(server) == {}


# Races of an audit with what happens meanwhile


@pytest.mark.parametrize("listing", [UUIDS, LIST], ids=["uuids", "records"])
@pytest.mark.parametrize("answer_first", [True, False])
def test_a_boot_during_an_audit_is_not_lost(
    cloud: Cloud, answer_first: bool, listing: tuple[str, str]
) -> None:
    if listing == LIST:
        cloud.host.tracker.reset()

    def boot_meanwhile(proceed: Callable[[], Any]) -> Any:
        if answer_first:
            answer = proceed()
            cloud.boot()
            return answer
        cloud.boot()
        return proceed()

    cloud.trouble(*listing, boot_meanwhile)
    audit(cloud)
    assert used(cloud) == (1, 512 + 128, 1, 1)
    audit(cloud)
    assert used(cloud) == (1, 512 + 128, 1, 1)


@pytest.mark.parametrize("listing", [UUIDS, LIST], ids=["uuids", "records"])
@pytest.mark.parametrize("answer_first", [True, False])
def test_a_delete_during_an_audit_is_not_lost(
    cloud: Cloud, answer_first: bool, listing: tuple[str, str]
) -> None:
    if listing == LIST:
        cloud.host.tracker.reset()
    one, _ = cloud.boot(2)

    def delete_meanwhile(proceed: Callable[[], Any]) -> Any:
        if answer_first:
            answer = proceed()
            cloud.delete(one)
            return answer
        cloud.delete(one)
        return proceed()

    cloud.trouble(*listing, delete_meanwhile)
    audit(cloud)
    assert used(cloud) == (1, 512 + 128, 1, 1)


def test_audits_beside_boots_and_deletes(cloud: Cloud) -> None:
    done = threading.Event()
    failures: list[BaseException] = []

    def keep_auditing() -> None:
        try:
            while not done.is_set():
                audit(cloud)
        except BaseException as exc:
            failures.append(exc)

    auditor = threading.Thread(target=keep_auditing)
    auditor.start()
    servers = cloud.boot(6)
    cloud.delete(*servers[:3])
    done.set()
    auditor.join(30)
    assert failures == []
    cloud.host.tracker.publish(get_admin_context(), HOST)
    assert used(cloud) == (3, 512 + 3 * 128, 3, 3)


# Placement


def test_what_placement_is_told(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud(
        {
            "fake.vcpus": 8,
            "cpu_allocation_ratio": 2.0,
            "reserved_host_disk_mb": 1500,
            "compute_driver": "fake.MediumFakeDriverWithNestedCustomResources",
        }
    )
    inventories = root_inventories(cloud)
    assert {name: (each["total"], each["reserved"]) for name, each in inventories.items()} == {
        "VCPU": (8, 0),
        "MEMORY_MB": (8192, 512),
        "DISK_GB": (1028, 2),
    }
    assert inventories["VCPU"]["allocation_ratio"] == 2.0
    assert {"COMPUTE_NODE", "OWNER_NOVA", "COMPUTE_TRUSTED_CERTS"} <= root_traits(cloud)
    root, child = placement(cloud).providers_in_tree(None, node(cloud)["uuid"])
    assert (root.name, child.name, child.parent_uuid) == (HOST, f"{HOST}-child", root.uuid)
    assert placement(cloud).inventories(None, child.uuid)[0]["CUSTOM_MAGIC"]["total"] == 10


def test_an_update_that_loses_the_race_is_made_again(cloud: Cloud) -> None:
    other = placement(cloud)
    uuid = node(cloud)["uuid"]
    other.ensure_trait(None, "CUSTOM_RACK_7")
    traits, generation = other.traits(None, uuid)
    other.put_traits(None, uuid, traits | {"CUSTOM_RACK_7"}, generation)
    cloud.conf.set_override("vcpus", 77, group="fake")
    audit(cloud)
    assert root_inventories(cloud)["VCPU"]["total"] == 77
    assert "CUSTOM_RACK_7" in root_traits(cloud)
    assert node(cloud)["vcpus"] == 77


def test_a_provider_file(make_cloud: Callable[..., Cloud], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "meta: {schema_version: '1.0'}\n"
        "providers:\n"
        "- identification: {uuid: $COMPUTE_NODE}\n"
        "  inventories: {additional: [{CUSTOM_GOLD: {total: 3}}]}\n"
        "  traits: {additional: [CUSTOM_FAST]}\n"
    )
    cloud = make_cloud({"compute.provider_config_location": str(tmp_path)})
    assert root_inventories(cloud)["CUSTOM_GOLD"]["total"] == 3
    assert "CUSTOM_FAST" in root_traits(cloud)
    with cloud.counting() as counts:
        audit(cloud)
    assert counts.placement_requests == 1


def test_disabling_the_service_shows_at_once_and_stays(cloud: Cloud) -> None:
    cloud.rpc.call("set_host_enabled", enabled=False, context=get_admin_context())
    assert "COMPUTE_STATUS_DISABLED" in root_traits(cloud)
    audit(cloud)
    assert "COMPUTE_STATUS_DISABLED" in root_traits(cloud)
    cloud.rpc.call("set_host_enabled", enabled=True, context=get_admin_context())
    audit(cloud)
    assert "COMPUTE_STATUS_DISABLED" not in root_traits(cloud)


def test_a_service_that_is_disabled_during_an_audit_stays_so(cloud: Cloud) -> None:
    (server,) = cloud.boot()

    def disable(proceed: Callable[[], Any]) -> Any:
        cloud.rpc.call("set_host_enabled", enabled=False, context=get_admin_context())
        return proceed()

    # The audit links the server to its node's record before it tells placement anything.
    cloud.set_fields(server, compute_id=None)
    cloud.host.tracker.reset()
    planted = cloud.trouble("Instance", "save", disable)
    audit(cloud)
    assert planted.done.is_set()
    assert "COMPUTE_STATUS_DISABLED" in root_traits(cloud)


def test_a_service_that_is_disabled_while_it_starts_is_so_at_once(cloud: Cloud) -> None:
    cloud.boot()
    cloud.stop_agent()

    def disable(proceed: Callable[[], Any]) -> Any:
        with cloud.embedded.store.transaction() as records:
            row = records.first("Service", host=HOST)
            assert row is not None
            records.update("Service", row, {"disabled": True})
        return proceed()

    # The recovery asks for the instances, when the service's record has been read.
    planted = cloud.trouble(*LIST, disable)
    cloud.start_agent()
    assert planted.done.is_set()
    assert "COMPUTE_STATUS_DISABLED" in root_traits(cloud)


def test_the_allocation_of_a_deleted_server_is_given_back(cloud: Cloud) -> None:
    server, kept = cloud.boot(2)
    other = placement(cloud)
    held = other.get_allocations(None, server)
    cloud.delete(server)
    other.put_allocations(None, server, held | {"consumer_generation": None})
    audit(cloud)
    assert cloud.allocations(server) == {}
    assert len(cloud.allocations(kept)) == 1


class Down:
    """An adapter on a placement that does not answer."""

    additional_headers: Any = None

    def request(self, path: str, method: str, **kwargs: Any) -> Any:
        raise exceptions.ConnectFailure("refused")


def test_a_placement_that_is_down_does_not_keep_the_agent_from_starting(cloud: Cloud) -> None:
    cloud.boot()
    cloud.stop_agent()
    cloud.start_agent(placement=PlacementClient(Down()))
    assert cloud.host.tracker.nodenames() == {HOST}
    audit(cloud)
    assert used(cloud)[0] == 1


# The recovery asks for the instances before the audit does.
@pytest.mark.parametrize(("call", "nth"), [(MIGRATIONS, 1), (LIST, 2)])
def test_a_conductor_that_stumbles_in_an_audit_does_not_keep_the_agent_from_starting(
    cloud: Cloud, call: tuple[str, str], nth: int
) -> None:
    cloud.boot()
    cloud.stop_agent()
    planted = cloud.trouble(*call, errors.InternalError(err="DBConnectionError"), nth=nth)
    cloud.start_agent()
    assert planted.done.is_set()
    audit(cloud)
    assert used(cloud)[0] == 1


# Nodes that come and go


@pytest.fixture
def two_nodes(make_cloud: Callable[..., Cloud]) -> Cloud:
    return make_cloud({"fake.nodes": [HOST, "second"]})


def test_several_nodes(two_nodes: Cloud) -> None:
    uuids = {name: node(two_nodes, name)["uuid"] for name in (HOST, "second")}
    assert len(set(uuids.values())) == 2
    for name, uuid in uuids.items():
        assert placement(two_nodes).provider(None, uuid).name == name
    with two_nodes.counting() as counts:
        audit(two_nodes)
    assert counts.conductor == {UUIDS: 1, MIGRATIONS: 2}
    assert counts.placement_requests == 2


@pytest.mark.parametrize("restarted", [False, True])
def test_a_node_that_vanished_goes_with_its_provider(two_nodes: Cloud, restarted: bool) -> None:
    second = node(two_nodes, "second")["uuid"]
    two_nodes.conf.set_override("nodes", [HOST], group="fake")
    if restarted:
        two_nodes.restart_agent()
    else:
        audit(two_nodes)
    assert [row["hypervisor_hostname"] for row in nodes(two_nodes)] == [HOST]
    assert placement(two_nodes).providers_in_tree(None, second) == []
    assert two_nodes.host.tracker.nodenames() == {HOST}


@pytest.fixture
def three_nodes(make_cloud: Callable[..., Cloud]) -> tuple[Cloud, str, str, str]:
    """A server on one of three nodes, the uuid of that node, and the name of another."""
    cloud = make_cloud({"fake.nodes": [HOST, "old", "older"]})
    (server,) = cloud.boot()
    mine = cloud.row(server)["node"]
    return cloud, server, node(cloud, mine)["uuid"], "old" if mine != "old" else "older"


def vanish(cloud: Cloud, name: str) -> None:
    names = [each for each in (HOST, "old", "older") if each != name]
    cloud.conf.set_override("nodes", names, group="fake")
    audit(cloud)


def test_a_vanished_node_leaves_what_its_last_holder_has_elsewhere(
    three_nodes: tuple[Cloud, str, str, str],
) -> None:
    cloud, server, here, other = three_nodes
    client, gone = placement(cloud), node(cloud, other)["uuid"]
    held = client.get_allocations(None, server)
    # As after an evacuation, until the old node returns.
    both = {**held["allocations"], gone: {"resources": {"VCPU": 1, "MEMORY_MB": 128}}}
    client.put_allocations(None, server, {**held, "allocations": both})
    vanish(cloud, other)
    assert client.providers_in_tree(None, gone) == []
    assert client.get_allocations(None, server)["allocations"].keys() == {here}


def test_a_vanished_node_that_a_move_holds_room_on_keeps_its_provider(
    three_nodes: tuple[Cloud, str, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    cloud, server, here, other = three_nodes
    client, gone, move = placement(cloud), node(cloud, other)["uuid"], str(uuid4())
    held = client.get_allocations(None, server)
    rooms = {gone: {"resources": {"VCPU": 1}}}
    client.put_allocations(None, move, {**held, "allocations": rooms, "consumer_generation": None})
    vanish(cloud, other)
    audit(cloud)
    assert other not in [row["hypervisor_hostname"] for row in nodes(cloud)]
    assert client.get_allocations(None, move)["allocations"].keys() == {gone}
    assert client.get_allocations(None, server)["allocations"].keys() == {here}
    assert caplog.text.count("is kept while it is in use") == 1


def test_an_answer_that_does_not_come_removes_nothing(two_nodes: Cloud) -> None:
    second = node(two_nodes, "second")["uuid"]
    two_nodes.conf.set_override("nodes", [HOST], group="fake")
    two_nodes.conf.set_override("fail", ["node_uuids:*:HypervisorUnavailable"], group="fake")
    audit(two_nodes)
    assert node(two_nodes, "second")["uuid"] == second
    assert placement(two_nodes).provider(None, second).name == "second"
    assert two_nodes.host.tracker.nodenames() == {HOST, "second"}


def test_what_monitors_measure_is_in_the_record_and_told(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud({**TOLD, "compute_monitors": ["cpu.virt_driver"]})
    versioned, legacy = Notices(cloud.bus), Notices(cloud.bus, "notifications")
    cloud.host.driver.host_cpu_times = lambda: HostCpuTimes(  # type: ignore[method-assign]
        10**15, 10**15, 10**16, 10**15, 800
    )
    audit(cloud)
    recorded = json.loads(node(cloud)["metrics"])
    by_name = {metric["name"]: metric for metric in recorded}
    assert len(by_name) == 10
    assert by_name["cpu.user.time"]["value"] == 10**15
    assert 0 < by_name["cpu.idle.percent"]["value"] < 1
    assert {metric["source"] for metric in recorded} == {"fake.FakeDriver"}
    [told] = [notice for notice in legacy.all() if notice.event_type == "compute.metrics.update"]
    assert told.payload["metrics"] == recorded
    assert (told.publisher, told.payload["nodename"]) == (f"compute.{HOST}", HOST)
    [told] = [notice for notice in versioned.all() if notice.event_type == "metrics.update"]
    assert (told.payload["host"], told.payload["nodename"]) == (HOST, HOST)
    values = [metric["nova_object.data"] for metric in told.payload["metrics"]]
    assert {value["name"]: value["value"] for value in values}["cpu.frequency"] == 800


def test_without_monitors_nothing_is_measured(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud(TOLD)
    notices = Notices(cloud.bus)
    audit(cloud)
    assert node(cloud)["metrics"] == "[]"
    assert notices.all() == []
