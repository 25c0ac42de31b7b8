"""One stock nova-compute and one computed side by side: servers move from either to the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration import accounts
from tests.integration.agents import COMPUTED, STOCK, Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.plane import waiting
from tests.integration.verbs import Verbs

pytestmark = pytest.mark.long

COUNT = 2


@dataclass
class Pair:
    """The two computes, the one first that has all the servers now."""

    agents: list[Agent]
    verbs: Verbs

    @property
    def here(self) -> str:
        return self.agents[0].host

    @property
    def there(self) -> str:
        return self.agents[1].host


@pytest.fixture(scope="module")
def pair(agents: MakeAgents, cloud: Cloud) -> Iterator[Pair]:
    # The variant of the fake driver whose node keeps its uuid: a stock host comes back after an evacuation.
    options = {"DEFAULT": {"compute_driver": "fake.FakeDriverWithoutFakeNodes"}}
    (ours,) = agents(1, kind=COMPUTED)
    (stock,) = agents(1, kind=STOCK, options=options)
    verbs = Verbs(cloud, cloud.boot(COUNT, "mixed", availability_zone=f"nova:{stock.host}"))
    verbs.active(stock.host)
    volumes = cloud.volumes.create(COUNT)
    for server, volume in zip(verbs.ids, volumes, strict=True):
        cloud.demo.compute.create_volume_attachment(server, volume_id=volume)
    cloud.volumes.wait(volumes, "in-use")
    yield Pair([stock, ours], verbs)
    cloud.delete(verbs.ids)
    cloud.volumes.wait(volumes, "available")
    cloud.volumes.clear()


@pytest.fixture(params=["from-stock", "from-ours"])
def way(request: pytest.FixtureRequest, pair: Pair, cloud: Cloud) -> Iterator[Pair]:
    """Each test goes from the stock compute to ours, then back."""
    if {s.compute_host for s in cloud.servers(pair.verbs.ids).values()} != {pair.here}:
        pair.agents.reverse()
    wanted = STOCK if request.param == "from-stock" else COMPUTED
    assert pair.agents[0].kind == wanted, "the test before this one did not bring the servers here"
    yield pair
    assert accounts.faults(cloud, pair.agents, pair.verbs.ids) == []


def test_resize(way: Pair) -> None:
    way.verbs.resize("m1.small", way.there)
    way.verbs.revert(way.here)
    way.verbs.resize("m1.micro" if way.agents[0].kind == STOCK else "m1.nano", way.there)
    way.verbs.confirm()


def test_cold_migration(way: Pair) -> None:
    way.verbs.cold_migrate(way.there)
    way.verbs.confirm()


def test_live_migration(way: Pair) -> None:
    way.verbs.live_migrate(way.there)


def test_shelve_unshelve_and_rebuild(way: Pair, cloud: Cloud) -> None:
    way.verbs.shelve()
    way.verbs.unshelve(way.there)
    way.verbs.rebuild(cloud.image_id)


def test_evacuate(way: Pair, cloud: Cloud) -> None:
    dead = way.agents[0]
    dead.kill()
    cloud.say_down(dead.host)
    way.verbs.evacuate(way.there, stopped=False)
    dead.start()

    def seen_to() -> None:
        found = {way.verbs.last_migration(server)["status"] for server in way.verbs.ids}
        if found != {"completed"}:
            raise waiting.NotYet(found)

    waiting.until("the host that came back has cleaned up", seen_to, 60, 0.5)
    cloud.say_up(dead.host)
    cloud.wait_heartbeat([dead])
