"""The broker or the conductor goes away amid twenty boots: no server is stuck, no agent needs a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.agents import Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import BACKENDS, MakeAgents
from tests.integration.plane import broker, waiting
from tests.integration.plane.plane import Plane

COUNT = 20
#: several lost RPC calls of one server, one after the other, and the time for the broker's clients to return
SECONDS = 200


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pair(agents: MakeAgents) -> list[Agent]:
    return agents(2)


def restart_broker(plane: Plane) -> None:
    rabbit = plane.daemons["rabbit"]
    rabbit.stop()
    rabbit.start()
    broker.wait_ready(plane.settings, rabbit)


def restart_conductor(plane: Plane) -> None:
    conductor = plane.daemons["nova-conductor"]
    conductor.stop()
    conductor.start()
    broker.wait_consumers(plane.settings, "conductor")


@pytest.mark.parametrize("restart", [restart_conductor, restart_broker])
def test_every_server_ends_active_or_with_a_fault(
    restart: Callable[[Plane], None], pair: list[Agent], plane: Plane, cloud: Cloud
) -> None:
    processes = [agent.daemon.pid for agent in pair]
    ids = cloud.boot(COUNT, "amid")
    waiting.until("some servers on a host", lambda: _some_building(cloud, ids), 60, 0.1)
    restart(plane)

    servers = cloud.wait_settled(ids, SECONDS)
    assert set(servers) == set(ids)
    assert {server.status for server in servers.values()} <= {"ACTIVE", "ERROR"}
    assert all(server.fault for server in servers.values() if server.status == "ERROR")
    assert [agent.daemon.pid for agent in pair] == processes
    for agent in pair:
        agent.daemon.check()

    cloud.wait_heartbeat(pair)
    later = cloud.boot(4, "after")
    cloud.wait_status(later, "ACTIVE")
    cloud.delete([*ids, *later])
    assert cloud.ports([*ids, *later]) == []


def _some_building(cloud: Cloud, ids: list[str]) -> None:
    reached = [server.name for server in cloud.servers(ids).values() if server.compute_host]
    if len(reached) < 3:
        raise waiting.NotYet(reached)
