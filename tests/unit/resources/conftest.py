"""A tracker of one host on the fake driver, with records in memory and a placement that only answers."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from oslo_config import cfg

sys.path.insert(0, str(Path(__file__).parent))

import store as stores
from audits import OTHER_UUID, here

from computed import conf as computed_conf
from computed import errors, objects
from computed.clients.placement import Provider, ProviderAllocations
from computed.context import get_admin_context
from computed.objects.base import ComputedObject
from computed.resources.tracker import ResourceTracker
from computed.virt.fake.driver import FakeDriver

HOST = "host1"


class FakePlacement:
    """The part of the placement client that an audit uses, in memory; every request is counted.

    What it answers is checked against the real application in tests/functional/placement.
    """

    def __init__(self):
        self.calls = []
        self.locks = []
        self.is_down = False
        self.trees = {}
        self.held = {}
        self.deleted_allocations = []

    def _count(self, name):
        for lock in self.locks:
            assert not lock.is_held, f"{name} was called under the claim lock"
        self.calls.append(name)
        if self.is_down:
            raise errors.PlacementAPIConnectFailure()

    def providers_in_tree(self, context, uuid):
        self._count("providers_in_tree")
        return [self.trees[uuid][0]] if uuid in self.trees else []

    def create_provider(self, context, uuid, name, parent_uuid=None):
        self._count("create_provider")
        self.trees[uuid] = [Provider(uuid, name, 0), {}, frozenset()]
        return self.trees[uuid][0]

    def delete_provider(self, context, uuid):
        self._count("delete_provider")
        if self.held.get(uuid):
            raise errors.ResourceProviderInUse(f"Provider {uuid} is in use")
        return self.trees.pop(uuid, None) is not None

    def inventories(self, context, uuid):
        self._count("inventories")
        return self.trees[uuid][1], self.trees[uuid][0].generation

    def put_inventories(self, context, uuid, inventories, generation):
        self._count("put_inventories")
        return self._put(uuid, 1, inventories)

    def ensure_resource_class(self, context, name):
        self._count("ensure_resource_class")

    def ensure_trait(self, context, name):
        self._count("ensure_trait")

    def traits(self, context, uuid):
        self._count("traits")
        return self.trees[uuid][2], self.trees[uuid][0].generation

    def put_traits(self, context, uuid, traits, generation):
        self._count("put_traits")
        return self._put(uuid, 2, traits)

    def _put(self, uuid, part, value):
        provider = self.trees[uuid][0]
        self.trees[uuid][0] = Provider(provider.uuid, provider.name, provider.generation + 1)
        self.trees[uuid][part] = value
        return provider.generation + 1

    def provider_allocations(self, context, uuid):
        self._count("provider_allocations")
        if uuid not in self.trees:
            raise errors.ResourceProviderNotFound(name_or_uuid=uuid)
        return ProviderAllocations(dict(self.held.get(uuid, {})), self.trees[uuid][0].generation)

    def remove_tree_from_allocations(self, context, uuid, root_uuid):
        self._count("remove_tree_from_allocations")
        return self.held.get(root_uuid, {}).pop(uuid, None) is not None

    def delete_allocations(self, context, uuid):
        self._count("delete_allocations")
        self.deleted_allocations.append(uuid)
        for consumers in self.held.values():
            consumers.pop(uuid, None)
        return True


class FakeNodesDriver(FakeDriver):
    """The fake driver with nodes that a test may add, remove or make unreachable."""

    def __init__(self, conf):
        super().__init__(conf)
        self.nodes = {HOST: "11111111-1111-4111-8111-111111111111"}
        self.unreachable = set()
        self.is_unreachable = False

    def node_uuids(self):
        if self.is_unreachable:
            raise errors.HypervisorUnavailable()
        return dict(self.nodes)

    def node_resources(self, node):
        if node in self.unreachable:
            raise errors.HypervisorUnavailable()
        return self._nodes.resources(node)


@pytest.fixture
def conf(tmp_path):
    options = cfg.ConfigOpts()
    computed_conf.register_all(options)
    options([], default_config_files=[], default_config_dirs=[])
    options.set_override("host", HOST)
    options.set_override("my_ip", "192.0.2.5")
    options.set_override("state_path", str(tmp_path))
    options.set_override("provider_config_location", str(tmp_path), group="compute")
    return options


@pytest.fixture
def context():
    return get_admin_context()


@pytest.fixture
def lock():
    return stores.WatchedLock()


@pytest.fixture
def store(monkeypatch, lock):
    made = stores.Store()
    made.locks.append(lock)
    made.service = objects.Service(id=5, host=HOST, disabled=False)
    monkeypatch.setattr(ComputedObject, "indirection_api", made)
    return made


@pytest.fixture
def placement(lock):
    made = FakePlacement()
    made.locks.append(lock)
    return made


@pytest.fixture
def make_host(conf, store, placement, lock, monkeypatch):
    """Make a tracker anew, as after a restart, with its driver."""

    def make():
        driver = FakeNodesDriver(conf)
        monkeypatch.setattr(driver._nodes, "uuids", lambda: driver.nodes)
        tracker = ResourceTracker(HOST, driver, placement, conf, make_lock=lambda: lock)
        return SimpleNamespace(tracker=tracker, driver=driver)

    return make


@pytest.fixture
def host(make_host):
    return make_host()


@pytest.fixture
def tracker(host, context):
    """A tracker that has made its first audit."""
    host.tracker.update_available_resource(context, startup=True)
    return host.tracker


@pytest.fixture
def two_nodes(host, store, context):
    host.driver.nodes["node2"] = OTHER_UUID
    here(store)
    here(store, node="node2", compute_id=2)
    here(store, node="node2", compute_id=2)
    host.tracker.update_available_resource(context, startup=True)
    return host
