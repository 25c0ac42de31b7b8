"""One stock nova-compute and one computed side by side: servers move from either to the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration import accounts
from tests.integration.agents import COMPUTED, STOCK, Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.plane import waiting
from tests.integration.verbs import Verbs

COUNT = 2


@pytest.fixture(scope="module")
def both(agents: MakeAgents) -> dict[str, Agent]:
    # The variant of the fake driver whose node keeps its uuid: a stock host comes back after an evacuation.
    options = {"DEFAULT": {"compute_driver": "fake.FakeDriverWithoutFakeNodes"}}
    (ours,) = agents(1, kind=COMPUTED)
    (stock,) = agents(1, kind=STOCK, options=options)
    return {COMPUTED: ours, STOCK: stock}


@pytest.fixture(scope="module", params=[(STOCK, COMPUTED), (COMPUTED, STOCK)], ids=["to-ours", "to-stock"])
def way(request: pytest.FixtureRequest, both: dict[str, Agent]) -> list[Agent]:
    """(source, destination); turned round after each move."""
    return [both[kind] for kind in request.param]


@pytest.fixture(scope="module")
def verbs(way: list[Agent], cloud: Cloud) -> Iterator[Verbs]:
    made = Verbs(cloud, cloud.boot(COUNT, "mixed", availability_zone=f"nova:{way[0].host}"))
    made.active(way[0].host)
    volumes = cloud.volumes.create(COUNT)
    for server, volume in zip(made.ids, volumes, strict=True):
        cloud.demo.compute.create_volume_attachment(server, volume_id=volume)
    cloud.volumes.wait(volumes, "in-use")
    yield made
    cloud.delete(made.ids)
    cloud.volumes.wait(volumes, "available")
    cloud.volumes.clear()


@pytest.fixture(autouse=True)
def tidy(way: list[Agent], verbs: Verbs, cloud: Cloud) -> Iterator[None]:
    """Each test begins with the servers on the first host; every account is in order after it."""
    if {s.compute_host for s in cloud.servers(verbs.ids).values()} != {way[0].host}:
        way.reverse()
    yield
    assert accounts.faults(cloud, way, verbs.ids) == []


def test_resize_and_revert(way: list[Agent], verbs: Verbs) -> None:
    verbs.resize("m1.micro", way[1].host)
    verbs.revert(way[0].host)


def test_resize_and_confirm(way: list[Agent], verbs: Verbs) -> None:
    for dest, flavor in ((way[1], "m1.micro"), (way[0], "m1.nano")):
        verbs.resize(flavor, dest.host)
        verbs.confirm()


def test_cold_migration(way: list[Agent], verbs: Verbs) -> None:
    verbs.cold_migrate(way[1].host)
    verbs.revert(way[0].host)
    for agent in (way[1], way[0]):
        verbs.cold_migrate(agent.host)
        verbs.confirm()


def test_live_migration(way: list[Agent], verbs: Verbs) -> None:
    for agent in (way[1], way[0]):
        verbs.live_migrate(agent.host)


def test_shelve_and_unshelve(way: list[Agent], verbs: Verbs) -> None:
    for agent in (way[1], way[0]):
        verbs.shelve()
        verbs.unshelve(agent.host)


def test_rebuild(way: list[Agent], verbs: Verbs, cloud: Cloud) -> None:
    verbs.rebuild(cloud.image_id)
    verbs.active(way[0].host)


def test_evacuate(way: list[Agent], verbs: Verbs, cloud: Cloud) -> None:
    dead = way[0]
    dead.kill()
    cloud.say_down(dead.host)
    verbs.evacuate(way[1].host, stopped=False)
    dead.start()

    def seen_to() -> None:
        found = {verbs.last_migration(server)["status"] for server in verbs.ids}
        if found != {"completed"}:
            raise waiting.NotYet(found)

    waiting.until("the host that came back has cleaned up", seen_to, 60, 0.5)
    cloud.say_up(dead.host)
    cloud.wait_heartbeat([dead])
