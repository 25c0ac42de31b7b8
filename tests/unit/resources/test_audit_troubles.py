"""The audit when something happens meanwhile, is wrong, is stale or fails."""

import threading
import uuid

import pytest
from audits import ALLOCATIONS, FLAVOR, HOST, LIST, OTHER_UUID, UNCHANGED, UUID, audit, held, here

from computed import errors, objects
from computed.clients.placement import ProviderAllocations
from computed.resources.stale_allocations import JUDGE_AGAIN_SECONDS, StaleAllocations
from computed.virt.specs import Inventory

# Races


@pytest.mark.parametrize("call", [*UNCHANGED, LIST[1]])
def test_a_claim_during_the_reading_is_not_lost(tracker, store, context, call):
    instance = store.add_instance(FLAVOR, vm_state="building")
    if call not in UNCHANGED:
        tracker.reset()
    store.before[call] = lambda: tracker.instance_claim(instance, HOST).settle()
    tracker.update_available_resource(context)
    assert held(tracker) == 1
    assert store.nodes[UUID].vcpus_used == 1


@pytest.mark.parametrize("call", [*UNCHANGED, LIST[1]])
def test_a_release_during_the_reading_is_not_lost(make_host, store, context, call):
    instance = here(store)
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)

    def delete():
        # after the list was made: the record is still in the answer
        tracker.release(instance)

    if call not in UNCHANGED:
        tracker.reset()
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
    assert audit(tracker, context, store) == UNCHANGED


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
    assert audit(tracker, context, store, placement) == [*UNCHANGED, "InstanceList.get_by_filters"]
    assert placement.calls == [*ALLOCATIONS, *["delete_allocations"] * count]
    assert audit(tracker, context, store, placement) == UNCHANGED
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
        # What is being built is not in the list yet, so the records are read; the move is looked at.
        read = [*UNCHANGED, "InstanceList.get_by_host", "InstanceList.get_by_filters"]
        assert audit(tracker, context, store, placement) == read
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
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.ConductorTimeout("no answer"), "not audited, the conductor does not answer: no answer"),
        (errors.InternalError(err="deadlock"), "not audited: Internal error: deadlock"),
        (RuntimeError("RemoteError DBConnectionError"), "not audited\nTraceback"),
    ],
)
def test_the_conductor_is_silent_or_stumbles_at_the_start(
    make_host, store, context, caplog, call, error, told
):
    def fail():
        raise error

    store.before[call] = fail
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    assert told in caplog.text
    store.before.clear()
    tracker.update_available_resource(context)
    assert tracker.nodenames() == {HOST}
    assert store.nodes[UUID].vcpus_used == 0


@pytest.mark.parametrize("call", [*UNCHANGED, LIST[1]])
def test_a_reading_that_fails_changes_nothing(make_host, store, placement, context, call):
    here(store)
    tracker = make_host().tracker
    tracker.update_available_resource(context, startup=True)
    if call not in UNCHANGED:
        here(store)

    def fail():
        raise errors.ConductorUnavailable("no broker")

    store.before[call] = fail
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


@pytest.mark.parametrize(
    "error", [errors.LibvirtFailed("busy"), OSError(5, "I/O error"), errors.HypervisorUnavailable()]
)
@pytest.mark.parametrize("startup", [True, False])
def test_a_node_that_cannot_be_asked_leaves_the_others(
    two_nodes, store, placement, context, caplog, monkeypatch, error, startup
):
    def resources(node):
        if node == HOST:
            raise error
        return two_nodes.driver._nodes.resources(node)

    monkeypatch.setattr(two_nodes.driver, "node_resources", resources)
    store.nodes[OTHER_UUID].vcpus_used = 77
    two_nodes.tracker.update_available_resource(context, startup=startup)
    assert "Node host1 cannot be asked, it stays as it is" in caplog.text
    assert set(store.nodes) == set(placement.trees) == {UUID, OTHER_UUID}


@pytest.mark.parametrize("method", ["node_uuids", "node_resources"])
@pytest.mark.parametrize(
    "error", [errors.InvalidConfiguration("cpu_shared_set"), errors.InvalidNodeConfiguration(reason="two")]
)
def test_a_wrong_configuration_ends_a_start_and_no_later_audit(
    tracker, host, context, caplog, monkeypatch, method, error
):
    def fail(*args):
        raise error

    monkeypatch.setattr(host.driver, method, fail)
    with pytest.raises(type(error)):
        tracker.update_available_resource(context, startup=True)
    tracker.update_available_resource(context)
    assert "The nodes of this host are not audited: " in caplog.text
    assert tracker.nodenames() == {HOST}


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


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("node", [UUID, OTHER_UUID])
@pytest.mark.parametrize("failure", [errors.ResourceProviderUpdateFailed(url="x", error="y"), ValueError()])
def test_what_one_node_could_not_be_told_is_told_by_the_next_audit(
    two_nodes, placement, context, monkeypatch, failure, node, is_done
):
    """`is_done`: placement has done it, and its answer is lost."""
    put_traits = placement.put_traits

    def put(context, uuid, *rest):
        generation = put_traits(context, uuid, *rest) if uuid != node or is_done else None
        if uuid == node:
            raise failure
        return generation

    def disabled():
        return {uuid for uuid, tree in placement.trees.items() if "COMPUTE_STATUS_DISABLED" in tree[2]}

    with monkeypatch.context() as patch:
        patch.setattr(placement, "put_traits", put)
        two_nodes.tracker.set_disabled(context, True)
    assert disabled() | {node} == {UUID, OTHER_UUID}
    two_nodes.tracker.update_available_resource(context)
    assert disabled() == {UUID, OTHER_UUID}
    with monkeypatch.context() as patch:
        patch.setattr(placement, "is_down", True)
        two_nodes.tracker.set_disabled(context, False)
    assert disabled() == {UUID, OTHER_UUID}
    two_nodes.tracker.update_available_resource(context)
    assert disabled() == set()


def test_an_answer_that_is_lost_does_not_leave_the_trait_behind(tracker, placement, context, monkeypatch):
    put_traits = placement.put_traits

    def lose(*arguments):
        put_traits(*arguments)
        raise errors.PlacementAPIConnectFailure()

    with monkeypatch.context() as patch:
        patch.setattr(placement, "put_traits", lose)
        tracker.set_disabled(context, True)
    with monkeypatch.context() as patch:
        patch.setattr(placement, "is_down", True)
        tracker.set_disabled(context, False)
    tracker.update_available_resource(context)
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
