"""Servers with a port and a volume each move between two computes, there and back, with all they have."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration import accounts
from tests.integration.agents import STOCK, Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.logs import LogWatch
from tests.integration.plane import waiting
from tests.integration.verbs import Verbs

COUNT = 5


@dataclass
class Pair:
    """Two hosts and the servers that are all on the first of them at the start of each test."""

    agents: list[Agent]
    verbs: Verbs
    volumes: list[str]

    @property
    def here(self) -> str:
        return self.agents[0].host

    @property
    def there(self) -> str:
        return self.agents[1].host

    def turn(self) -> None:
        self.agents.reverse()


@pytest.fixture(scope="module")
def pair(agents: MakeAgents, cloud: Cloud, control_logs: LogWatch) -> Pair:
    made = agents(2)
    ids = cloud.boot(COUNT, "move", availability_zone=f"nova:{made[0].host}")
    verbs = Verbs(cloud, ids)
    verbs.active(made[0].host)
    volumes = cloud.volumes.create(COUNT)
    for server, volume in zip(ids, volumes, strict=True):
        cloud.demo.compute.create_volume_attachment(server, volume_id=volume)
    cloud.volumes.wait(volumes, "in-use")
    return Pair(made, verbs, volumes)


@pytest.fixture(autouse=True)
def tidy(pair: Pair, cloud: Cloud) -> Iterator[None]:
    yield
    assert accounts.faults(cloud, pair.agents, pair.verbs.ids) == []


@pytest.fixture(scope="module")
def rounds(pytestconfig: pytest.Config) -> range:
    return range(pytestconfig.getoption("rounds"))


def test_resize_confirmed(pair: Pair, cloud: Cloud, rounds: range) -> None:
    for _, flavor in zip(rounds, itertools.cycle(["m1.micro", "m1.nano"])):
        pair.verbs.resize(flavor, pair.there)
        assert accounts.faults(cloud, pair.agents, pair.verbs.ids) == []
        pair.verbs.confirm()
        pair.turn()


@pytest.mark.long
def test_resize_reverted(pair: Pair, rounds: range) -> None:
    for _ in rounds:
        pair.verbs.resize("m1.small", pair.there)
        pair.verbs.revert(pair.here)


@pytest.mark.long
def test_resize_on_the_same_host(pair: Pair) -> None:
    pair.verbs.resize("m1.small", pair.here)
    pair.verbs.revert(pair.here)
    pair.verbs.resize("m1.small", pair.here)
    pair.verbs.confirm()


@pytest.mark.long
def test_cold_migration(pair: Pair, rounds: range) -> None:
    for _ in rounds:
        pair.verbs.cold_migrate(pair.there)
        pair.verbs.revert(pair.here)
        pair.verbs.cold_migrate(pair.there)
        pair.verbs.confirm()
        pair.turn()


def test_a_stopped_server_migrates_and_stays_stopped(pair: Pair, cloud: Cloud) -> None:
    one = Verbs(cloud, pair.verbs.ids[:1])
    cloud.demo.compute.stop_server(one.ids[0])
    cloud.wait_status(one.ids, "SHUTOFF")
    one.cold_migrate(pair.there)
    cloud.demo.compute.revert_server_resize(one.ids[0])
    cloud.wait_status(one.ids, "SHUTOFF")
    cloud.demo.compute.start_server(one.ids[0])
    one.active(pair.here)


@pytest.mark.parametrize("block", ["auto", pytest.param(True, marks=pytest.mark.long)])
def test_live_migration(block: bool | str, pair: Pair, rounds: range) -> None:
    for _ in rounds:
        pair.verbs.live_migrate(pair.there, block=block)
        pair.turn()


def test_shelve_here_and_unshelve_there(pair: Pair, cloud: Cloud, rounds: range) -> None:
    for _ in rounds:
        pair.verbs.shelve()
        assert accounts.faults(cloud, pair.agents, pair.verbs.ids) == []
        pair.verbs.unshelve(pair.there)
        pair.turn()


def test_rebuild_after_the_moves(pair: Pair, cloud: Cloud) -> None:
    pair.verbs.rebuild(cloud.image_id)
    pair.verbs.active(pair.here)


def test_evacuation_and_the_return_of_the_host(pair: Pair, cloud: Cloud) -> None:
    dead = pair.agents[0]
    dead.kill()
    cloud.say_down(dead.host)
    pair.verbs.evacuate(pair.there, stopped=True)
    dead.start()
    waiting.until("the evacuation is seen to", lambda: _ended(pair.verbs, "completed"), 60, 0.5)
    cloud.say_up(dead.host)
    cloud.wait_heartbeat([dead])
    cloud.each(pair.verbs.ids, cloud.demo.compute.start_server)
    pair.turn()
    pair.verbs.active(pair.here)


@pytest.mark.long
def test_what_was_evacuated_can_go_home_again(pair: Pair) -> None:
    pair.verbs.live_migrate(pair.there)
    pair.turn()


@pytest.mark.long
def test_abort_of_a_live_migration(pair: Pair, agents: MakeAgents, cloud: Cloud, agent_kind: str) -> None:
    if agent_kind == STOCK:
        pytest.skip("stock's fake driver migrates at once")
    slow = agents(2, options={"fake": {"delays": "live_migrate:20"}})
    one = Verbs(cloud, cloud.boot(1, "slow", availability_zone=f"nova:{slow[0].host}"))
    one.active(slow[0].host)
    one.ask_live_migration(one.ids[0], slow[1].host)
    running = waiting.until("it runs", lambda: _running(cloud, one.ids[0]), 60, 0.3)
    cloud.admin.compute.abort_server_migration(running, one.ids[0])
    one.active(slow[0].host)
    waiting.until("it is cancelled", lambda: _ended(one, "cancelled"), 30, 0.5)
    one.ask_live_migration(one.ids[0], slow[1].host)
    running = waiting.until("it runs", lambda: _running(cloud, one.ids[0]), 60, 0.3)
    cloud.admin.compute.force_complete_server_migration(running, one.ids[0])
    one.arrive(slow[1].host)
    waiting.until("it is completed", lambda: _ended(one, "completed"), 30, 0.5)
    everything = accounts.faults(cloud, [*pair.agents, *slow], [*pair.verbs.ids, *one.ids])
    cloud.delete(one.ids)
    assert everything == []


def _running(cloud: Cloud, server: str) -> int:
    found = [m for m in cloud.admin.compute.server_migrations(server) if m.status == "running"]
    if not found:
        raise waiting.NotYet("no migration is running")
    return int(found[0].id)


def _ended(verbs: Verbs, status: str) -> None:
    found = {server: verbs.last_migration(server)["status"] for server in verbs.ids}
    if set(found.values()) != {status}:
        raise waiting.NotYet(found)


def test_delete_gives_everything_back(pair: Pair, cloud: Cloud, control_logs: LogWatch) -> None:
    ids, pair.verbs.ids = pair.verbs.ids, []
    cloud.delete(ids)
    cloud.volumes.wait(pair.volumes, "available")
    cloud.volumes.clear()
    assert control_logs.errors_about([*(agent.host for agent in pair.agents), *ids]) == []
