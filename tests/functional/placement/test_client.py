"""The placement client against the real placement application."""

import threading
import uuid

import pytest

from computed import errors
from computed.clients.placement import PlacementClient, Provider

ROOT, CHILD, OTHER = (str(uuid.uuid4()) for _ in range(3))
INSTANCE, MIGRATION = (str(uuid.uuid4()) for _ in range(2))
VCPU = {
    "VCPU": {
        "total": 8,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": 8,
        "step_size": 1,
        "allocation_ratio": 4.0,
    }
}


@pytest.fixture
def client(placement):
    return placement.client


@pytest.fixture
def root(client, context):
    return client.create_provider(context, ROOT, "node1")


def allocate(client, context, consumer, provider=ROOT, amount=1, generation=None):
    body = {
        "allocations": {provider: {"resources": {"VCPU": amount}}},
        "project_id": "p",
        "user_id": "u",
        "consumer_generation": generation,
    }
    client.put_allocations(context, consumer, body)


def test_create_find_and_delete_a_tree(client, context, root):
    grandchild = str(uuid.uuid4())
    child = client.create_provider(context, CHILD, "node1_child", ROOT)
    client.create_provider(context, grandchild, "node1_grandchild", CHILD)
    assert root == Provider(ROOT, "node1", 0)
    assert child.parent_uuid == ROOT
    assert [each.uuid for each in client.providers_in_tree(context, CHILD)] == [ROOT, CHILD, grandchild]
    assert client.providers_in_tree(context, OTHER) == []
    with pytest.raises(errors.ResourceProviderInUse):
        client.delete_provider(context, ROOT)
    assert client.delete_provider(context, grandchild)
    assert client.delete_provider(context, CHILD)
    assert client.delete_provider(context, ROOT)
    assert not client.delete_provider(context, ROOT)


def test_creating_a_provider_that_is_there(client, context, root):
    generation = client.put_inventories(context, ROOT, VCPU, 0)
    assert client.create_provider(context, ROOT, "another-name") == Provider(ROOT, "node1", generation)
    with pytest.raises(errors.ResourceProviderCreationFailed, match="node1"):
        client.create_provider(context, OTHER, "node1")


def test_inventories(client, context, root):
    assert client.inventories(context, ROOT) == ({}, 0)
    generation = client.put_inventories(context, ROOT, VCPU, 0)
    assert client.inventories(context, ROOT) == (VCPU, generation)
    with pytest.raises(errors.ResourceProviderUpdateConflict):
        client.put_inventories(context, ROOT, {}, generation - 1)
    allocate(client, context, INSTANCE)
    _, generation = client.inventories(context, ROOT)
    with pytest.raises(errors.InventoryInUse):
        client.put_inventories(context, ROOT, {}, generation)
    with pytest.raises(errors.ResourceProviderUpdateFailed):
        client.put_inventories(context, ROOT, {"NO_SUCH_CLASS": VCPU["VCPU"]}, generation)
    client.ensure_resource_class(context, "CUSTOM_GOLD")
    client.ensure_resource_class(context, "CUSTOM_GOLD")
    client.put_inventories(context, ROOT, {**VCPU, "CUSTOM_GOLD": {"total": 1}}, generation)
    assert set(client.inventories(context, ROOT)[0]) == {"VCPU", "CUSTOM_GOLD"}


def test_traits(client, context, root):
    client.ensure_trait(context, "CUSTOM_FAST")
    client.ensure_trait(context, "CUSTOM_FAST")
    generation = client.put_traits(context, ROOT, {"CUSTOM_FAST", "COMPUTE_NODE"}, 0)
    assert client.traits(context, ROOT) == ({"CUSTOM_FAST", "COMPUTE_NODE"}, generation)
    with pytest.raises(errors.ResourceProviderUpdateConflict):
        client.put_traits(context, ROOT, {"COMPUTE_NODE"}, generation - 1)
    with pytest.raises(errors.TraitRetrievalFailed, match="CUSTOM_NOBODY"):
        client.put_traits(context, ROOT, {"CUSTOM_NOBODY"}, generation)
    with pytest.raises(errors.TraitCreationFailed):
        client.ensure_trait(context, "NOT_CUSTOM")
    assert client.known_traits(context, ["CUSTOM_FAST", "CUSTOM_NOBODY", "HW_CPU_X86_AVX"]) == {
        "CUSTOM_FAST",
        "HW_CPU_X86_AVX",
    }


def test_aggregates(client, context, root):
    aggregate = str(uuid.uuid4())
    generation = client.put_aggregates(context, ROOT, [aggregate], 0)
    assert client.aggregates(context, ROOT) == ({aggregate}, generation)
    with pytest.raises(errors.ResourceProviderUpdateConflict):
        client.put_aggregates(context, ROOT, [], generation - 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda client, context: client.provider(context, OTHER),
        lambda client, context: client.inventories(context, OTHER),
        lambda client, context: client.traits(context, OTHER),
        lambda client, context: client.aggregates(context, OTHER),
        lambda client, context: client.provider_allocations(context, OTHER),
        lambda client, context: client.put_inventories(context, OTHER, VCPU, 0),
        lambda client, context: client.put_traits(context, OTHER, [], 0),
        lambda client, context: client.put_aggregates(context, OTHER, [], 0),
    ],
)
def test_a_provider_that_is_not_there(client, context, call):
    with pytest.raises(errors.ResourceProviderNotFound):
        call(client, context)


def test_allocations_cost_one_request_each(placement, client, context, root):
    client.put_inventories(context, ROOT, VCPU, 0)
    allocate(client, context, INSTANCE, amount=2)
    placement.requests.clear()

    held = client.get_allocations(context, INSTANCE)
    everything = client.provider_allocations(context, ROOT)
    deleted = client.delete_allocations(context, INSTANCE)
    again = client.delete_allocations(context, INSTANCE)

    assert held["allocations"][ROOT]["resources"] == {"VCPU": 2}
    assert (held["project_id"], held["consumer_generation"]) == ("p", 1)
    assert everything.consumers == {INSTANCE: {"VCPU": 2}}
    assert (deleted, again) == (True, False)
    assert len(placement.requests) == 4
    assert everything.generation == client.provider(context, ROOT).generation
    assert client.get_allocations(context, INSTANCE)["allocations"] == {}


def test_writing_allocations_needs_the_consumers_generation(client, context, root):
    client.put_inventories(context, ROOT, VCPU, 0)
    allocate(client, context, INSTANCE)
    with pytest.raises(errors.AllocationUpdateFailed):
        allocate(client, context, INSTANCE, amount=2, generation=None)
    allocate(client, context, INSTANCE, amount=2, generation=1)
    assert client.provider_allocations(context, ROOT).consumers == {INSTANCE: {"VCPU": 2}}
    with pytest.raises(errors.AllocationUpdateFailed):
        allocate(client, context, MIGRATION, amount=9999)


def test_moving_allocations(client, context, root):
    client.put_inventories(context, ROOT, VCPU, 0)
    with pytest.raises(errors.AllocationMoveFailed):
        client.move_allocations(context, INSTANCE, MIGRATION)
    allocate(client, context, INSTANCE, amount=2)
    client.move_allocations(context, INSTANCE, MIGRATION)
    assert client.provider_allocations(context, ROOT).consumers == {MIGRATION: {"VCPU": 2}}
    client.move_allocations(context, INSTANCE, MIGRATION)
    assert client.provider_allocations(context, ROOT).consumers == {MIGRATION: {"VCPU": 2}}


def test_removing_one_tree_from_an_allocation(client, context, root):
    client.put_inventories(context, ROOT, VCPU, 0)
    other = client.create_provider(context, OTHER, "node2")
    client.put_inventories(context, OTHER, VCPU, other.generation)
    assert not client.remove_tree_from_allocations(context, INSTANCE, ROOT)
    body = {
        "allocations": {ROOT: {"resources": {"VCPU": 1}}, OTHER: {"resources": {"VCPU": 1}}},
        "project_id": "p",
        "user_id": "u",
        "consumer_generation": None,
    }
    client.put_allocations(context, INSTANCE, body)
    assert client.remove_tree_from_allocations(context, INSTANCE, ROOT)
    assert not client.remove_tree_from_allocations(context, INSTANCE, ROOT)
    assert set(client.get_allocations(context, INSTANCE)["allocations"]) == {OTHER}


class Losing:
    """Lets every write of allocations lose the race inside placement the first `times` times."""

    def __init__(self, adapter, times):
        self.adapter, self.times, self.writes = adapter, times, 0

    def request(self, path, method, **kwargs):
        if method in ("PUT", "POST") and path.startswith("/allocations"):
            self.writes += 1
            if self.writes <= self.times:
                return self
        return self.adapter.request(path, method, **kwargs)

    status_code = 409
    text = "lost"

    @staticmethod
    def json():
        detail = "Another thread concurrently updated the data. Please retry your update"
        return {"errors": [{"code": "placement.concurrent_update", "detail": detail}]}


@pytest.mark.parametrize(("times", "sleeps"), [(0, 1), (1, 2), (3, 4)])
def test_a_lost_race_is_tried_again(placement, context, root, times, sleeps):
    placement.client.put_inventories(context, ROOT, VCPU, 0)
    waited = []
    client = PlacementClient(Losing(placement.adapter, times))
    client.sleep = waited.append
    allocate(client, context, INSTANCE)
    assert placement.client.provider_allocations(context, ROOT).consumers == {INSTANCE: {"VCPU": 1}}
    assert len(waited) == sleeps
    assert all(0 <= seconds <= 2 * attempt for attempt, seconds in enumerate(waited))


def test_four_lost_races_are_an_error(placement, context, root):
    adapter = Losing(placement.adapter, 99)
    client = PlacementClient(adapter)
    client.sleep = lambda seconds: None
    with pytest.raises(errors.AllocationUpdateFailed):
        allocate(client, context, INSTANCE)
    assert adapter.writes == 4


def test_every_request_is_counted_and_carries_the_request_id(placement, context, root):
    seen = []
    placement.client.on_request = lambda method, path: seen.append((method, path))
    before = placement.client.requests
    threads = [threading.Thread(target=placement.client.provider, args=(context, ROOT)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert placement.client.requests - before == 8
    assert seen == [("GET", f"/resource_providers/{ROOT}")] * 8


def test_part_of_what_a_consumer_holds_is_taken_away(client, context, root):
    child = client.create_provider(context, CHILD, "node1_child", ROOT)
    for provider in (root, child):
        client.put_inventories(context, provider.uuid, VCPU, provider.generation)
    allocate(client, context, INSTANCE, amount=3)
    body = client.get_allocations(context, INSTANCE)
    body["allocations"][CHILD] = {"resources": {"VCPU": 2}}
    client.put_allocations(context, INSTANCE, body)
    held = {
        CHILD: {"resources": {"VCPU": 2}},
        ROOT: {"resources": {"VCPU": 1}},
        OTHER: {"resources": {"A": 1}},
    }
    client.remove_resources(context, INSTANCE, held)
    left = client.get_allocations(context, INSTANCE)["allocations"]
    assert {uuid: had["resources"] for uuid, had in left.items()} == {ROOT: {"VCPU": 2}}
    client.remove_resources(context, MIGRATION, held)
    assert client.get_allocations(context, MIGRATION)["allocations"] == {}


def test_an_allocation_that_changes_meanwhile_is_read_again(client, context, root):
    client.put_inventories(context, ROOT, VCPU, 0)
    allocate(client, context, INSTANCE, amount=3)
    real, reads = client.get_allocations, []

    def read(context, consumer):
        body = real(context, consumer)
        reads.append(consumer)
        if len(reads) == 1:
            allocate(client, context, INSTANCE, amount=5, generation=body["consumer_generation"])
        return body

    client.get_allocations = read
    client.remove_resources(context, INSTANCE, {ROOT: {"resources": {"VCPU": 1}}})
    assert len(reads) == 2
    assert real(context, INSTANCE)["allocations"][ROOT]["resources"] == {"VCPU": 4}
