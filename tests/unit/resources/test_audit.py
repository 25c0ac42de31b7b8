"""The audit: what it reads, corrects, publishes and removes, and what it does when something fails."""

import threading
import uuid

import pytest
import store as stores

from computed import errors, objects
from computed.clients.placement import ProviderAllocations
from computed.resources.stale_allocations import JUDGE_AGAIN_SECONDS, StaleAllocations
from computed.virt.specs import Inventory

HOST = "host1"
UUID = "11111111-1111-4111-8111-111111111111"
OTHER_UUID = "22222222-2222-4222-8222-222222222222"
FLAVOR = stores.make_flavor()
LIST = ["InstanceList.get_by_host_and_node", "MigrationList.get_in_progress_and_error"]
ALLOCATIONS = ["provider_allocations"]


def audit(tracker, context, store, placement=None, **flags):
    """Run one audit; the calls it made."""
    store.calls.clear()
    if placement is not None:
        placement.calls.clear()
    tracker.update_available_resource(context, **flags)
    return list(store.calls)


def held(tracker, name=HOST):
    return tracker._nodes.get(name).ledger.load().held.vcpus


def here(store, **values):
    return store.add_instance(FLAVOR, **({"host": HOST, "node": HOST, "compute_id": 1} | values))


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
    assert audit(host.tracker, context, store) == [*LIST, "ComputeNode.save"]
    assert store.nodes[UUID].vcpus == 77


@pytest.mark.parametrize("count", [0, 1, 50])
def test_nothing_changed_costs_two_calls_and_one_request(make_host, store, placement, context, count):
    for _ in range(count):
        placement.held.setdefault(UUID, {})[here(store).uuid] = {"VCPU": 1}
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    for _ in range(2):
        assert audit(tracker, context, store, placement) == LIST
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
    make_host().tracker.update_available_resource(context, startup=True)
    assert (store.nodes[UUID].host, store.nodes[UUID].service_id) == (HOST, 5)


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


@pytest.fixture
def two_nodes(host, store, context):
    host.driver.nodes["node2"] = OTHER_UUID
    here(store)
    here(store, node="node2", compute_id=2)
    here(store, node="node2", compute_id=2)
    host.tracker.update_available_resource(context, startup=True)
    return host


def test_several_nodes(two_nodes, store, placement, context):
    assert audit(two_nodes.tracker, context, store, placement) == [
        "InstanceList.get_by_host",
        "MigrationList.get_in_progress_and_error",
        "MigrationList.get_in_progress_and_error",
    ]
    assert placement.calls == ALLOCATIONS * 2
    by_name = {node.hypervisor_hostname: node.vcpus_used for node in store.nodes.values()}
    assert by_name == {HOST: 1, "node2": 2}
    assert set(placement.trees) == {UUID, OTHER_UUID}


def test_a_node_that_vanished_goes_with_its_provider_and_allocations(two_nodes, store, placement, context):
    placement.held[OTHER_UUID] = {"consumer": {"VCPU": 1}}
    del two_nodes.driver.nodes["node2"]
    calls = audit(two_nodes.tracker, context, store)
    assert calls == ["ComputeNode.destroy", *LIST]
    assert set(store.nodes) == {UUID}
    assert set(placement.trees) == {UUID}
    assert placement.deleted_allocations == ["consumer"]
    assert two_nodes.tracker.nodenames() == {HOST}


def test_a_record_left_over_from_earlier_goes_at_the_first_audit(make_host, store, placement, context):
    record(store, context, uuid=OTHER_UUID, hypervisor_hostname="gone")
    placement.create_provider(context, OTHER_UUID, "gone")
    make_host().tracker.update_available_resource(context, startup=True)
    assert set(store.nodes) == {UUID}
    assert set(placement.trees) == {UUID}


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


# Races


@pytest.mark.parametrize("call", LIST)
def test_a_claim_during_the_reading_is_not_lost(tracker, store, context, call):
    instance = store.add_instance(FLAVOR, vm_state="building")
    store.before[call] = lambda: tracker.instance_claim(instance, HOST).settle()
    tracker.update_available_resource(context)
    assert held(tracker) == 1
    assert store.nodes[UUID].vcpus_used == 1


@pytest.mark.parametrize("call", LIST)
def test_a_release_during_the_reading_is_not_lost(make_host, store, context, call):
    instance = here(store)
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)

    def delete():
        # after the list was made: the record is still in the answer
        tracker.release(instance)

    store.before[call] = delete
    tracker.update_available_resource(context)
    assert held(tracker) == 0
    assert store.nodes[UUID].vcpus_used == 0


def test_a_build_in_progress_that_the_records_do_not_show_yet(tracker, store, context):
    instance = store.add_instance(FLAVOR, vm_state="building")
    with tracker.instance_claim(instance, HOST):
        tracker.update_available_resource(context)
        assert held(tracker) == 1
    tracker.update_available_resource(context)
    assert held(tracker) == 0


def test_what_moved_here_by_itself_and_what_left(make_host, store, context):
    leaving = here(store)
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    arriving = here(store)
    leaving.host = leaving.node = "elsewhere"
    tracker.update_available_resource(context)
    ledger = tracker._nodes.get(HOST).ledger
    assert {key[0] for key in ledger.entries()} == {arriving.uuid}


def test_audits_wait_for_each_other(tracker, store, context):
    running, most = [], []

    def slow():
        running.append(1)
        most.append(len(running))
        threading.Event().wait(0.02)
        running.pop()

    store.before[LIST[0]] = slow
    threads = [threading.Thread(target=tracker.update_available_resource, args=(context,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == [1, 1, 1, 1]


# Records set right


def test_instances_are_linked_to_the_record_once(make_host, store, context):
    wrong, unset, right = here(store, compute_id=99), here(store, compute_id=None), here(store)
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    assert {each.compute_id for each in (wrong, unset, right)} == {1}
    assert store.calls.count("Instance.save") == 2
    assert audit(tracker, context, store) == LIST


def test_a_stale_migration_is_closed_once(tracker, store, context):
    moved = store.add_instance(
        FLAVOR,
        host="host2",
        node="host2",
        task_state="resize_migrating",
        new_flavor=FLAVOR,
        migration_context=objects.MigrationContext(migration_id=10**7),
    )
    migration = store.add_migration(moved, ("host2", "host2"), (HOST, HOST))
    assert "Migration.save" in audit(tracker, context, store)
    assert store.migrations[migration.uuid].status == "error"
    assert "Migration.save" not in audit(tracker, context, store)


def test_records_that_cannot_be_set_right_do_not_stop_the_audit(make_host, store, context, caplog):
    here(store, compute_id=99)

    def fail():
        raise errors.InstanceNotFound(instance_id="x")

    store.before["Instance.save"] = fail
    make_host().tracker.update_available_resource(context, startup=True)
    assert store.nodes[UUID].vcpus_used == 1
    assert "not all set right" in caplog.text


# Allocations


@pytest.fixture
def holders(store, placement):
    """Who holds what of the node's provider."""
    return placement.held.setdefault(UUID, {})


def test_only_allocations_of_deleted_instances_are_given_back(tracker, store, placement, holders, context):
    rows = {
        "deleted": {"deleted": True},
        "hidden half of a move": {"deleted": True, "hidden": True},
        "elsewhere": {"host": "host2", "node": "host2"},
        "about to come": {},
        "soft deleted here": {"host": HOST, "node": HOST, "vm_state": "soft-delete", "compute_id": 1},
    }
    uuids = {what: store.add_instance(FLAVOR, **values).uuid for what, values in rows.items()}
    for consumer in [*uuids.values(), str(uuid.uuid4())]:
        holders[consumer] = {"VCPU": 1}
    audit(tracker, context, store, placement)
    assert placement.deleted_allocations == [uuids["deleted"]]


@pytest.mark.parametrize("count", [1, 40])
def test_deleted_instances_cost_one_call_and_one_request_each(
    tracker, store, placement, holders, context, count
):
    for _ in range(count):
        holders[store.add_instance(FLAVOR, deleted=True).uuid] = {"VCPU": 1}
    assert audit(tracker, context, store, placement) == [*LIST, "InstanceList.get_by_filters"]
    assert placement.calls == [*ALLOCATIONS, *["delete_allocations"] * count]
    assert audit(tracker, context, store, placement) == LIST
    assert placement.calls == ALLOCATIONS


def test_an_unknown_consumer_is_asked_about_now_and_then(store, placement, context):
    def calls():
        store.calls.clear()
        stale.review(context, held, [], [])
        return len(store.calls)

    now = [0.0]
    stale = StaleAllocations(placement, clock=lambda: now[0])
    held = ProviderAllocations({str(uuid.uuid4()): {"VCPU": 1}}, 1)
    assert (calls(), calls()) == (1, 0)
    now[0] += JUDGE_AGAIN_SECONDS
    assert (calls(), calls()) == (1, 0)


def test_consumers_that_are_known_are_not_asked_about(tracker, store, placement, holders, context):
    moved = store.add_instance(FLAVOR, host="host2", node="host2", vm_state="resized", old_flavor=FLAVOR)
    migration = store.add_migration(moved, (HOST, HOST), ("host2", "host2"))
    building = store.add_instance(FLAVOR, vm_state="building")
    with tracker.instance_claim(building, HOST):
        for consumer in (migration.uuid, building.uuid, here(store).uuid):
            holders[consumer] = {"VCPU": 1}
        audit(tracker, context, store, placement)
        assert audit(tracker, context, store, placement) == [*LIST, "InstanceList.get_by_filters"]
    assert placement.deleted_allocations == []


def test_an_instance_without_allocation_is_told_of_once_and_left_alone(
    make_host, store, placement, context, caplog
):
    instance = here(store)
    tracker = make_host().tracker
    told = []
    for _ in range(4):
        tracker.update_available_resource(context)
        told.append(caplog.text.count("has no allocation"))
    assert told == [0, 1, 1, 1]
    assert store.instances[instance.uuid].vm_state == "active"
    assert held(tracker) == 1


# What fails


def test_placement_is_down_at_the_start(make_host, store, placement, context, caplog):
    placement.is_down = True
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    assert tracker.nodenames() == {HOST}
    assert "placement is not told" in caplog.text
    tracker.instance_claim(store.add_instance(FLAVOR, vm_state="building"), HOST)
    tracker.update_available_resource(context)
    assert store.nodes[UUID].vcpus_used == 1
    placement.is_down = False
    tracker.update_available_resource(context)
    assert placement.trees[UUID][1]["VCPU"]["total"] == 1000


@pytest.mark.parametrize("call", ["ComputeNodeList.get_all_by_host", "ComputeNode.create", *LIST])
def test_the_conductor_is_silent_at_the_start(make_host, store, context, caplog, call):
    def fail():
        raise errors.ConductorTimeout("no answer")

    store.before[call] = fail
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    assert "conductor does not answer" in caplog.text
    store.before.clear()
    tracker.update_available_resource(context)
    assert tracker.nodenames() == {HOST}
    assert store.nodes[UUID].vcpus_used == 0


def test_a_reading_that_fails_changes_nothing(make_host, store, placement, context):
    here(store)
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)

    def fail():
        raise errors.ConductorUnavailable("no broker")

    store.before[LIST[1]] = fail
    before = store.nodes[UUID].obj_to_primitive()
    placement.calls.clear()
    tracker.update_available_resource(context)
    assert held(tracker) == 1
    assert placement.calls == []
    assert store.nodes[UUID].obj_to_primitive() == before
    assert tracker._nodes.get(HOST).ledger._readings == []


def test_trouble_with_one_node_leaves_the_others(two_nodes, store, placement, context, caplog, monkeypatch):
    def inventories(node):
        if node == HOST:
            raise RuntimeError("defect")
        return {node: {"VCPU": Inventory(5)}}

    monkeypatch.setattr(two_nodes.driver, "node_inventories", inventories)
    two_nodes.tracker.update_available_resource(context)
    assert "Audit of node host1, placement is not told everything\nTraceback" in caplog.text
    assert placement.trees[OTHER_UUID][1]["VCPU"]["total"] == 5


def test_a_driver_that_fails_in_the_middle(tracker, host, store, placement, context, monkeypatch, caplog):
    def unreachable(node):
        raise errors.HypervisorUnavailable()

    monkeypatch.setattr(host.driver, "node_inventories", unreachable)
    before = dict(placement.trees)
    audit(tracker, context, store)
    assert placement.trees == before
    assert "not told everything" in caplog.text


def test_a_provider_that_somebody_deleted_is_made_again(tracker, store, placement, context):
    placement.trees.clear()
    audit(tracker, context, store, placement)
    assert placement.trees[UUID][1]["VCPU"]["total"] == 1000


# The disabled service


def traits(placement):
    return placement.trees[UUID][2]


def test_the_service_record_shows_on_the_provider(make_host, store, placement, context):
    tracker = make_host().tracker
    service = objects.Service(id=5, host=HOST, disabled=True)
    tracker.use_service(service)
    tracker.update_available_resource(context, startup=True)
    assert "COMPUTE_STATUS_DISABLED" in traits(placement)
    service.disabled = False
    tracker.update_available_resource(context)
    assert "COMPUTE_STATUS_DISABLED" not in traits(placement)


def test_set_disabled_is_at_once_and_the_next_audit_agrees(tracker, store, placement, context):
    placement.calls.clear()
    tracker.set_disabled(context, True)
    assert placement.calls == ["traits", "put_traits"]
    assert "COMPUTE_STATUS_DISABLED" in traits(placement)
    audit(tracker, context, store)
    assert "COMPUTE_STATUS_DISABLED" in traits(placement)
    tracker.set_disabled(context, False)
    tracker.set_disabled(context, False)
    assert "COMPUTE_STATUS_DISABLED" not in traits(placement)


def test_without_a_service_record_the_trait_stays_as_it_is(make_host, store, placement, context):
    store.service = None
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    placement.trees[UUID][2] |= {"COMPUTE_STATUS_DISABLED"}
    tracker.reset()
    tracker.update_available_resource(context)
    assert "COMPUTE_STATUS_DISABLED" in traits(placement)
    assert store.nodes[UUID].service_id is None


def test_an_entry_for_a_provider_that_is_nowhere_is_told_of_once(make_host, store, context, tmp_path, caplog):
    entry = "identification: {name: nobody}, traits: {additional: [CUSTOM_A]}"
    (tmp_path / "a.yaml").write_text(f"meta: {{schema_version: '1.0'}}\nproviders: [{{{entry}}}]")
    tracker = make_host().tracker
    for _ in range(3):
        tracker.update_available_resource(context)
    assert caplog.text.count("names provider nobody") == 1
