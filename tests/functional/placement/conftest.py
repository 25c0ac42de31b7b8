"""The real placement application, in this process and empty for each test."""

import shutil
from types import SimpleNamespace

import pytest

pytest.importorskip("placement")

from computed.clients.placement import PlacementClient
from computed.embedded.placement_app import placement_adapter, start_placement


class Requests(list):
    """Every request that reached placement, as (method, path); `clear()` starts a new count."""

    def note(self, method, path):
        self.append((method, path))

    def by_kind(self):
        """Method and path without identifiers, e.g. "PUT inventories" or "DELETE provider"."""
        return [f"{method} {_kind(path.split('/'))}" for method, path in self]


def _kind(parts):
    last = {3: {"resource_providers": "provider", "allocations": "consumer"}.get(parts[1], parts[1])}
    return last.get(len(parts), parts[-1])


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    path = tmp_path_factory.mktemp("placement") / "empty.db"
    start_placement(f"sqlite:///{path}", durable=False)
    return path


@pytest.fixture
def placement(empty_database, tmp_path):
    """client, adapter and the list of requests that were really sent."""
    path = tmp_path / "placement.db"
    shutil.copy(empty_database, path)
    requests = Requests()
    app = start_placement(f"sqlite:///{path}", durable=False)
    adapter = placement_adapter(app, on_request=requests.note)
    client = PlacementClient(adapter)
    client.sleep = lambda seconds: None
    return SimpleNamespace(client=client, adapter=adapter, requests=requests)


@pytest.fixture
def context():
    return SimpleNamespace(global_id="req-22222222-2222-2222-2222-222222222222")
