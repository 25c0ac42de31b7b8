"""Provider trees brought in line with the real placement, request by request."""

import uuid
from dataclasses import replace

import pytest

from computed import errors
from computed.clients.placement import PlacementClient
from computed.resources.provider_config import EVERY_NODE, ProviderConfig
from computed.resources.provider_sync import ProviderSync
from computed.resources.providers import NodeReport, Offer
from computed.resources.usage import NOTHING, Usage
from computed.virt.specs import Inventory

NODE = str(uuid.uuid4())
INSTANCE = str(uuid.uuid4())
OFFER = Offer({}, {"VCPU": 4.0, "MEMORY_MB": 1.0, "DISK_GB": 1.0}, Usage(1, 512, 2), NOTHING)
READ_TREE = ["GET resource_providers"]
READ_PROVIDER = ["GET inventories", "GET traits"]
ROOT = {"VCPU": Inventory(8), "MEMORY_MB": Inventory(4096), "DISK_GB": Inventory(100)}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def report(inventories=None, traits=("COMPUTE_TRUSTED_CERTS",), disabled=False):
    return NodeReport(
        NODE,
        "node1",
        {"node1": ROOT} if inventories is None else inventories,
        frozenset(traits),
        frozenset({"COMPUTE_TRUSTED_CERTS", "COMPUTE_VOLUME_EXTEND"}),
        lambda name: name == "node1-child",
        lambda: disabled,
    )


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_sync(placement, clock):
    def make(configs=(), refresh=300, client=None):
        return ProviderSync(
            client or placement.client, OFFER, configs, refresh_seconds=lambda: refresh, clock=clock
        )

    return make


@pytest.fixture
def sync(make_sync):
    return make_sync()


@pytest.fixture
def client(placement):
    return placement.client


def allocate(client, context, provider=NODE, resources=None):
    body = {
        "allocations": {provider: {"resources": resources or {"VCPU": 1}}},
        "project_id": "p",
        "user_id": "u",
        "consumer_generation": None,
    }
    client.put_allocations(context, INSTANCE, body)


def test_a_new_node(placement, client, context, sync):
    sync.sync(context, report())
    assert placement.requests.by_kind() == [
        *READ_TREE,
        "POST resource_providers",
        "PUT inventories",
        "PUT traits",
    ]
    inventories, _ = client.inventories(context, NODE)
    assert {name: (each["total"], each["reserved"]) for name, each in inventories.items()} == {
        "VCPU": (8, 1),
        "MEMORY_MB": (4096, 512),
        "DISK_GB": (100, 2),
    }
    assert client.traits(context, NODE)[0] == {"COMPUTE_NODE", "OWNER_NOVA", "COMPUTE_TRUSTED_CERTS"}


def test_nothing_changed_costs_nothing_and_the_refresh_one_request(placement, context, sync, clock):
    sync.sync(context, report())
    placement.requests.clear()
    sync.sync(context, report())
    clock.now += 300
    sync.sync(context, report())
    assert placement.requests == []
    clock.now += 1
    sync.sync(context, report())
    assert placement.requests.by_kind() == READ_TREE
    sync.sync(context, report())
    assert len(placement.requests) == 1


def test_a_refresh_of_zero_is_never(placement, context, make_sync, clock):
    sync = make_sync(refresh=0)
    sync.sync(context, report())
    placement.requests.clear()
    clock.now += 1e6
    sync.sync(context, report())
    assert placement.requests == []


def test_a_restarted_agent_reads_once_and_writes_nothing(placement, context, sync, make_sync):
    sync.sync(context, report())
    placement.requests.clear()
    make_sync().sync(context, report())
    assert placement.requests.by_kind() == READ_TREE + READ_PROVIDER


def test_the_refresh_reads_only_the_providers_that_changed(placement, client, context, sync, clock):
    told = report({"node1": ROOT, "node1-child": {"VGPU": Inventory(4)}})
    sync.sync(context, told)
    allocate(client, context)
    placement.requests.clear()
    clock.now += 301
    sync.sync(context, told)
    assert placement.requests.by_kind() == READ_TREE + READ_PROVIDER


def test_what_somebody_else_set_is_kept_and_what_is_ours_is_corrected(client, context, sync, clock):
    sync.sync(context, report())
    client.ensure_trait(context, "CUSTOM_RACK_7")
    aggregate = str(uuid.uuid4())
    generation = client.put_aggregates(context, NODE, [aggregate], client.provider(context, NODE).generation)
    generation = client.put_traits(
        context, NODE, ["CUSTOM_RACK_7", "HW_CPU_X86_AVX", "COMPUTE_VOLUME_EXTEND"], generation
    )
    inventories, generation = client.inventories(context, NODE)
    inventories["VCPU"]["allocation_ratio"] = 9.0
    inventories["MEMORY_MB"]["total"] = 600
    client.put_inventories(context, NODE, inventories, generation)

    clock.now += 301
    sync.sync(context, report())

    inventories, _ = client.inventories(context, NODE)
    assert inventories["VCPU"]["allocation_ratio"] == 9.0
    assert inventories["MEMORY_MB"]["total"] == 4096
    assert client.traits(context, NODE)[0] == {
        "COMPUTE_NODE",
        "OWNER_NOVA",
        "COMPUTE_TRUSTED_CERTS",
        "CUSTOM_RACK_7",
        "HW_CPU_X86_AVX",
    }
    assert client.aggregates(context, NODE)[0] == {aggregate}


def test_an_update_based_on_an_old_generation_is_read_again_and_done(placement, client, context, sync):
    sync.sync(context, report())
    client.ensure_trait(context, "CUSTOM_RACK_7")
    traits, generation = client.traits(context, NODE)
    client.put_traits(context, NODE, traits | {"CUSTOM_RACK_7"}, generation)
    placement.requests.clear()

    sync.sync(context, report({"node1": {**ROOT, "VCPU": Inventory(16)}}))

    assert placement.requests.by_kind() == [
        "PUT inventories",
        *READ_TREE,
        *READ_PROVIDER,
        "PUT inventories",
    ]
    assert client.inventories(context, NODE)[0]["VCPU"]["total"] == 16
    assert "CUSTOM_RACK_7" in client.traits(context, NODE)[0]


class Meddler:
    """An adapter behind which somebody changes the provider just before each of our first updates."""

    def __init__(self, placement, context, times):
        self.placement, self.context, self.times, self.updates = placement, context, times, 0

    def request(self, path, method, **kwargs):
        if method == "PUT" and path.endswith("/inventories"):
            self.updates += 1
            if self.updates <= self.times:
                client = self.placement.client
                generation = client.provider(self.context, NODE).generation
                client.put_aggregates(self.context, NODE, [str(uuid.uuid4())], generation)
        return self.placement.adapter.request(path, method, **kwargs)


@pytest.mark.parametrize(("times", "succeeds"), [(1, True), (3, True), (4, False)])
def test_four_attempts(placement, context, make_sync, times, succeeds):
    meddler = Meddler(placement, context, times)
    sync = make_sync(client=PlacementClient(meddler))
    if succeeds:
        sync.sync(context, report())
        assert placement.client.inventories(context, NODE)[0]["VCPU"]["total"] == 8
    else:
        with pytest.raises(errors.ResourceProviderUpdateConflict):
            sync.sync(context, report())
    assert meddler.updates == min(times + 1, 4)


def test_a_provider_that_somebody_deleted_is_made_again(client, context, sync):
    sync.sync(context, report())
    client.delete_provider(context, NODE)
    sync.sync(context, report({"node1": {**ROOT, "VCPU": Inventory(16)}}))
    assert client.inventories(context, NODE)[0]["VCPU"]["total"] == 16


def test_children_come_and_go(client, context, sync):
    sync.sync(context, report({"node1": ROOT, "node1-child": {"CUSTOM_MAGIC": Inventory(10)}}))
    root, child = client.providers_in_tree(context, NODE)
    assert (child.name, child.parent_uuid) == ("node1-child", NODE)
    assert client.inventories(context, child.uuid)[0]["CUSTOM_MAGIC"]["total"] == 10
    assert client.traits(context, child.uuid)[0] == {"OWNER_NOVA"}
    sync.sync(context, report())
    assert client.providers_in_tree(context, NODE) == [root]


def test_a_child_in_use_and_the_children_of_others_stay(client, context, sync, make_sync, caplog):
    sync.sync(context, report({"node1": ROOT, "node1-child": {"CUSTOM_MAGIC": Inventory(10)}}))
    _, child = client.providers_in_tree(context, NODE)
    allocate(client, context, child.uuid, {"CUSTOM_MAGIC": 1})
    client.create_provider(context, str(uuid.uuid4()), "node1:nic", NODE)
    make_sync().sync(context, report())
    names = {provider.name for provider in client.providers_in_tree(context, NODE)}
    assert names == {"node1", "node1-child", "node1:nic"}
    assert "node1-child has vanished" in caplog.text


def test_an_inventory_in_use_stays_and_the_rest_is_updated(client, context, sync, caplog):
    sync.sync(context, report())
    allocate(client, context, resources={"DISK_GB": 1})
    sync.sync(context, report({"node1": {"VCPU": Inventory(16), "MEMORY_MB": Inventory(4096)}}))
    inventories, _ = client.inventories(context, NODE)
    assert (inventories["VCPU"]["total"], inventories["DISK_GB"]["total"]) == (16, 100)
    assert "keeps an inventory" in caplog.text


def test_a_trait_that_placement_does_not_know_is_left_out_once(placement, client, context, sync, caplog):
    told = report(traits=["COMPUTE_TRUSTED_CERTS", "COMPUTE_FROM_THE_FUTURE"])
    sync.sync(context, told)
    assert client.traits(context, NODE)[0] == {"COMPUTE_NODE", "OWNER_NOVA", "COMPUTE_TRUSTED_CERTS"}
    assert "COMPUTE_FROM_THE_FUTURE" in caplog.text
    placement.requests.clear()
    sync.sync(context, told)
    assert placement.requests == []


def test_files_add_custom_classes_and_traits(placement, client, context, make_sync):
    entry = ProviderConfig(EVERY_NODE, "a.yaml", {"CUSTOM_GOLD": {"total": 3}}, frozenset({"CUSTOM_FAST"}))
    sync = make_sync([entry])
    sync.sync(context, report())
    assert client.inventories(context, NODE)[0]["CUSTOM_GOLD"]["total"] == 3
    assert "CUSTOM_FAST" in client.traits(context, NODE)[0]
    placement.requests.clear()
    sync.sync(context, report())
    make_sync([entry]).sync(context, report())
    assert placement.requests.by_kind() == READ_TREE + READ_PROVIDER
    make_sync().sync(context, report())
    assert "CUSTOM_GOLD" not in client.inventories(context, NODE)[0]


def test_entries_for_providers_that_are_nowhere(context, make_sync):
    entries = [ProviderConfig(name, "a.yaml") for name in ("node1", NODE, "elsewhere", EVERY_NODE)]
    sync = make_sync(entries)
    sync.sync(context, report())
    assert [entry.identifier for entry in sync.absent_configs()] == ["elsewhere"]


def test_another_provider_has_the_name(client, context, sync):
    client.create_provider(context, str(uuid.uuid4()), "node1")
    with pytest.raises(errors.ResourceProviderCreationFailed):
        sync.sync(context, report())


def test_the_provider_has_another_name(client, context, sync):
    client.create_provider(context, NODE, "renamed")
    with pytest.raises(errors.ResourceProviderSyncFailed, match="renamed"):
        sync.sync(context, report())


def test_the_disabled_trait(placement, client, context, sync):
    sync.sync(context, report(disabled=True))
    assert "COMPUTE_STATUS_DISABLED" in client.traits(context, NODE)[0]
    placement.requests.clear()
    sync.set_disabled(context, NODE, False)
    sync.set_disabled(context, NODE, False)
    assert placement.requests.by_kind() == ["GET traits", "PUT traits", "GET traits"]
    assert "COMPUTE_STATUS_DISABLED" not in client.traits(context, NODE)[0]
    sync.set_disabled(context, NODE, True)
    sync.sync(context, report(disabled=True))
    assert "COMPUTE_STATUS_DISABLED" in client.traits(context, NODE)[0]


def test_a_service_that_is_disabled_while_its_tree_is_told(client, context, sync):
    sync.sync(context, report())
    state = {"disabled": False}

    def is_disabled():
        # The first attempt has asked when the service is disabled, by whom the tree is changed.
        answer = state["disabled"]
        if not answer:
            state["disabled"] = True
            traits, generation = client.traits(context, NODE)
            client.put_traits(context, NODE, traits | {"COMPUTE_STATUS_DISABLED"}, generation)
        return answer

    sync.sync(context, replace(report(traits=()), is_disabled=is_disabled))
    assert "COMPUTE_STATUS_DISABLED" in client.traits(context, NODE)[0]


def test_deleting_a_tree(client, context, sync):
    sync.sync(context, report({"node1": ROOT, "node1-child": {"CUSTOM_MAGIC": Inventory(10)}}))
    allocate(client, context)
    other = client.create_provider(context, str(uuid.uuid4()), "another-node")
    with pytest.raises(errors.ResourceProviderInUse):
        sync.delete_tree(context, NODE)
    assert set(client.get_allocations(context, INSTANCE)["allocations"]) == {NODE}
    client.delete_allocations(context, INSTANCE)
    sync.delete_tree(context, NODE)
    assert client.providers_in_tree(context, NODE) == []
    assert client.providers_in_tree(context, other.uuid) == [other]
    sync.delete_tree(context, NODE)


def test_a_failure_in_the_middle_is_made_good_the_next_time(placement, client, context, make_sync):
    class Failing:
        broken = True

        def request(self, path, method, **kwargs):
            if self.broken and path.endswith("/traits") and method == "PUT":
                raise KeyboardInterrupt
            return placement.adapter.request(path, method, **kwargs)

    adapter = Failing()
    sync = make_sync(client=PlacementClient(adapter))
    with pytest.raises(KeyboardInterrupt):
        sync.sync(context, report())
    adapter.broken = False
    sync.sync(context, report())
    assert "COMPUTE_NODE" in client.traits(context, NODE)[0]
