"""The audit: what it reads and publishes, which records it finds, makes and removes."""

import uuid

import pytest
from audits import ALLOCATIONS, FLAVOR, HOST, LIST, OTHER_UUID, UNCHANGED, UUID, audit, held, here

from computed import errors, objects
from computed.resources.orphans import TRY_AGAIN_SECONDS

# The first audit


def test_a_new_host(host, store, placement, context):
    calls = audit(host.tracker, context, store, startup=True)
    assert calls == [
        "Service.get_by_compute_host",
        "ComputeNodeList.get_all_by_host",
        "ComputeNodeList.get_all_by_uuids",
        "ComputeNode.create",
        *LIST,
    ]
    (node,) = store.nodes.values()
    fields = {
        name: getattr(node, name)
        for name in node.fields
        if name not in ("created_at", "updated_at", "deleted_at", "supported_hv_specs", "pci_device_pools")
    }
    assert fields == {
        "id": node.id,
        "uuid": UUID,
        "host": HOST,
        "service_id": 5,
        "hypervisor_hostname": HOST,
        "hypervisor_type": "fake",
        "hypervisor_version": 1000,
        "host_ip": fields["host_ip"],
        "cpu_info": fields["cpu_info"],
        "vcpus": 1000,
        "memory_mb": 800000,
        "local_gb": 600000,
        "vcpus_used": 0,
        "memory_mb_used": 512,
        "local_gb_used": 0,
        "free_ram_mb": 799488,
        "free_disk_gb": 600000,
        "disk_available_least": 0,
        "running_vms": 0,
        "current_workload": 0,
        "stats": {"failed_builds": "0"},
        "metrics": "[]",
        "numa_topology": None,
        "mapped": 0,
        "deleted": False,
        "cpu_allocation_ratio": 4.0,
        "ram_allocation_ratio": 1.0,
        "disk_allocation_ratio": 1.0,
    }
    assert str(node.host_ip) == "192.0.2.5"
    assert '"model": "Nehalem"' in node.cpu_info
    (spec,) = node.supported_hv_specs
    assert (spec.arch, spec.hv_type, spec.vm_mode) == ("x86_64", "fake", "hvm")
    assert list(node.pci_device_pools) == []


def test_a_restarted_agent_finds_its_record_and_its_instances(make_host, store, placement, context):
    here(store)
    make_host().tracker.update_available_resource(context, startup=True)
    first = store.nodes[UUID].id
    tracker = make_host().tracker
    tracker.use_service(store.service)
    calls = audit(tracker, context, store, startup=True)
    assert calls == [
        "ComputeNodeList.get_all_by_host",
        *LIST,
        "BlockDeviceMappingList.get_by_instance_uuids",
    ]
    assert store.nodes[UUID].id == first
    assert held(tracker) == 1


def test_options_and_totals_reach_the_record(make_host, conf, store, context):
    conf.set_override("reserved_host_cpus", 2)
    conf.set_override("reserved_host_memory_mb", 1000)
    conf.set_override("reserved_host_disk_mb", 5000)
    conf.set_override("cpu_allocation_ratio", 16.0)
    host = make_host()
    host.tracker.update_available_resource(context, startup=True)
    node = store.nodes[UUID]
    assert (node.vcpus_used, node.memory_mb_used, node.local_gb_used) == (2, 1000, 4)
    assert (node.free_ram_mb, node.cpu_allocation_ratio) == (799000, 16.0)
    conf.set_override("vcpus", 77, group="fake")
    assert audit(host.tracker, context, store) == [*UNCHANGED, "ComputeNode.save"]
    assert store.nodes[UUID].vcpus == 77


@pytest.mark.parametrize("count", [0, 1, 50])
def test_nothing_changed_costs_two_calls_and_one_request(make_host, store, placement, context, count):
    for _ in range(count):
        placement.held.setdefault(UUID, {})[here(store).uuid] = {"VCPU": 1}
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    for _ in range(2):
        assert audit(tracker, context, store, placement) == UNCHANGED
        assert placement.calls == ALLOCATIONS
    assert held(tracker) == count


# Adopting, undeleting, refusing


def record(store, context, **values):
    node = objects.ComputeNode(
        **{"uuid": UUID, "host": HOST, "hypervisor_hostname": HOST, "service_id": 5, "stats": {}} | values
    )
    store.computenode_create(context, node)
    return store.nodes[node.uuid]


def test_a_deleted_record_is_undeleted(make_host, store, context):
    record(store, context)
    store.nodes[UUID].deleted = True
    store.nodes[UUID].obj_reset_changes()
    make_host().tracker.update_available_resource(context, startup=True)
    assert store.nodes[UUID].deleted is False
    assert store.nodes[UUID].vcpus == 1000
    assert len(store.nodes) == 1


def test_a_node_that_comes_from_another_host_and_service(make_host, store, context):
    record(store, context, host="old-host", service_id=3)
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    assert (store.nodes[UUID].host, store.nodes[UUID].service_id) == (HOST, 5)
    assert audit(tracker, context, store) == UNCHANGED


@pytest.mark.parametrize(
    "values",
    [
        {"uuid": OTHER_UUID},
        {"hypervisor_hostname": "old-name"},
        {"hypervisor_hostname": "old-name", "host": "old-name"},
    ],
)
def test_contradictions_of_name_and_uuid(make_host, store, context, caplog, values):
    before = record(store, context, **values).obj_to_primitive()
    with pytest.raises(errors.InvalidConfiguration):
        make_host().tracker.update_available_resource(context, startup=True)
    tracker = make_host().tracker
    tracker.update_available_resource(context)
    assert "are not audited" in caplog.text
    assert tracker.nodenames() == frozenset()
    assert not {"ComputeNode.create", "ComputeNode.save", "ComputeNode.destroy"} & set(store.calls)
    assert [node.obj_to_primitive() for node in store.nodes.values()] == [before]


def test_a_record_that_appears_while_we_create_ours(make_host, store, context):
    store.before["ComputeNode.create"] = lambda: record(store, context, uuid=OTHER_UUID)
    with pytest.raises(errors.InvalidConfiguration):
        make_host().tracker.update_available_resource(context, startup=True)


def test_a_node_that_changes_its_uuid(host, tracker, store, context, caplog):
    host.driver.nodes = {HOST: OTHER_UUID}
    assert audit(tracker, context, store) == []
    assert "had the uuid" in caplog.text
    assert set(store.nodes) == {UUID}


def test_a_record_that_somebody_deleted_comes_back_with_its_claims(tracker, store, context):
    instance = store.add_instance(FLAVOR, vm_state="building")
    claim = tracker.instance_claim(instance, HOST)
    store.nodes.clear()
    tracker.update_available_resource(context)
    assert store.nodes == {}
    tracker.update_available_resource(context)
    assert store.nodes[UUID].vcpus_used == 1
    claim.abort()
    tracker.publish(context, HOST)
    assert store.nodes[UUID].vcpus_used == 0


# Several nodes, and nodes that vanish


def test_several_nodes(two_nodes, store, placement, context):
    assert audit(two_nodes.tracker, context, store, placement) == [
        "InstanceList.get_uuids_by_host",
        "MigrationList.get_in_progress_and_error",
        "MigrationList.get_in_progress_and_error",
    ]
    assert placement.calls == ALLOCATIONS * 2
    by_name = {node.hypervisor_hostname: node.vcpus_used for node in store.nodes.values()}
    assert by_name == {HOST: 1, "node2": 2}
    assert set(placement.trees) == {UUID, OTHER_UUID}


WHERE = {"host": HOST, "node": "node2"}
ELSEWHERE = {"host": "host2", "node": "host2"}


@pytest.mark.parametrize(
    ("values", "is_given_back"),
    [
        (WHERE, True),
        ({**WHERE, "task_state": "rebuilding"}, True),
        ({"deleted": True}, True),
        (ELSEWHERE, True),
        ({"host": HOST, "node": HOST, "compute_id": 1}, True),
        ({**ELSEWHERE, "task_state": "resize_prep"}, False),
        ({**ELSEWHERE, "vm_state": "resized", "old_flavor": FLAVOR}, False),
        ({"vm_state": "building", "task_state": "scheduling"}, False),
        ({**ELSEWHERE, "hidden": True}, False),
        (None, False),
    ],
)
def test_a_node_that_vanished_goes_with_its_provider_once_nobody_needs_it(
    two_nodes, store, placement, context, caplog, values, is_given_back
):
    now = [0.0]
    two_nodes.tracker._audit._orphans._clock = lambda: now[0]
    holder = str(uuid.uuid4()) if values is None else store.add_instance(FLAVOR, **values).uuid
    placement.held[OTHER_UUID] = {holder: {"VCPU": 1}}
    placement.held["elsewhere"] = {holder: {"VCPU": 1}}
    del two_nodes.driver.nodes["node2"]
    calls = audit(two_nodes.tracker, context, store, placement)
    assert calls[:2] == ["ComputeNode.destroy", "InstanceList.get_by_filters"]
    assert set(store.nodes) == {UUID}
    assert two_nodes.tracker.nodenames() == {HOST}
    assert placement.held["elsewhere"] == {holder: {"VCPU": 1}}
    assert set(placement.trees) == ({UUID} if is_given_back else {UUID, OTHER_UUID})
    assert placement.held[OTHER_UUID] == ({} if is_given_back else {holder: {"VCPU": 1}})
    if is_given_back:
        return
    # Tried again now and then, and told of once.
    for _ in range(3):
        audit(two_nodes.tracker, context, store, placement)
        assert "delete_provider" not in placement.calls
    now[0] += TRY_AGAIN_SECONDS
    audit(two_nodes.tracker, context, store, placement)
    assert "delete_provider" in placement.calls
    assert caplog.text.count("is kept while it is in use") == 1
    placement.held.clear()
    now[0] += TRY_AGAIN_SECONDS
    audit(two_nodes.tracker, context, store, placement)
    assert set(placement.trees) == {UUID}


def test_a_record_left_over_from_earlier_goes_at_the_first_audit(make_host, store, placement, context):
    record(store, context, uuid=OTHER_UUID, hypervisor_hostname="gone")
    placement.create_provider(context, OTHER_UUID, "gone")
    make_host().tracker.update_available_resource(context, startup=True)
    assert set(store.nodes) == {UUID}
    assert set(placement.trees) == {UUID}


def test_the_record_of_a_renamed_node_that_cannot_be_asked_is_no_orphan(host, store, context):
    record(store, context, uuid=OTHER_UUID, hypervisor_hostname="old-name")
    host.driver.nodes["node2"] = OTHER_UUID
    host.driver.unreachable.add("node2")
    host.tracker.update_available_resource(context, startup=True)
    assert set(store.nodes) == {UUID, OTHER_UUID}


def unreachable(driver):
    driver.is_unreachable = True


def one_unreachable(driver):
    driver.unreachable.add("node2")


def empty(driver):
    driver.nodes = {}


@pytest.mark.parametrize("trouble", [unreachable, one_unreachable, empty])
def test_unknown_is_not_gone(two_nodes, store, placement, context, trouble):
    trouble(two_nodes.driver)
    audit(two_nodes.tracker, context, store)
    assert set(store.nodes) == {UUID, OTHER_UUID}
    assert set(placement.trees) == {UUID, OTHER_UUID}
    assert two_nodes.tracker.nodenames() == {HOST, "node2"}
    assert held(two_nodes.tracker, "node2") == 2


@pytest.mark.parametrize("trouble", [unreachable, empty])
def test_an_unreachable_driver_at_the_start(make_host, store, placement, context, trouble):
    record(store, context)
    host = make_host()
    trouble(host.driver)
    host.tracker.update_available_resource(context, startup=True)
    assert set(store.nodes) == {UUID}
    assert placement.calls == []
    host.driver.is_unreachable, host.driver.nodes = False, {HOST: UUID}
    host.tracker.update_available_resource(context)
    assert host.tracker.nodenames() == {HOST}


def test_a_vanished_node_is_removed_in_the_end_whatever_fails_first(two_nodes, store, placement, context):
    del two_nodes.driver.nodes["node2"]

    def fail():
        raise errors.ConductorTimeout("no answer")

    store.before["ComputeNode.destroy"] = fail
    two_nodes.tracker.update_available_resource(context)
    assert set(store.nodes) == {UUID, OTHER_UUID}
    assert set(placement.trees) == {UUID, OTHER_UUID}
    store.before.clear()
    placement.is_down = True
    two_nodes.tracker.update_available_resource(context)
    assert set(store.nodes) == {UUID}
    assert set(placement.trees) == {UUID, OTHER_UUID}
    placement.is_down = False
    two_nodes.tracker.update_available_resource(context)
    assert set(placement.trees) == {UUID}


def test_a_node_that_comes_back_before_it_was_removed_stays(two_nodes, store, placement, context):
    del two_nodes.driver.nodes["node2"]

    def fail():
        raise errors.ConductorTimeout("no answer")

    store.before["ComputeNode.destroy"] = fail
    two_nodes.tracker.update_available_resource(context)
    store.before.clear()
    two_nodes.driver.nodes["node2"] = OTHER_UUID
    two_nodes.tracker.update_available_resource(context)
    assert set(store.nodes) == {UUID, OTHER_UUID}
    assert set(placement.trees) == {UUID, OTHER_UUID}


def test_the_provider_of_a_node_that_another_host_took_over_stays(two_nodes, store, placement, context):
    del two_nodes.driver.nodes["node2"]
    store.nodes[OTHER_UUID].host = "another-host"
    two_nodes.tracker.update_available_resource(context)
    assert set(store.nodes) == {UUID, OTHER_UUID}
    assert set(placement.trees) == {UUID, OTHER_UUID}
    assert two_nodes.tracker.nodenames() == {HOST}
