"""The broker or the conductor goes away amid twenty boots: no server is stuck, no agent needs a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.plane import waiting
from tests.integration.plane.plane import Plane

pytestmark = pytest.mark.long

COUNT = 20
#: several lost RPC calls of one server, one after the other, and the time for the broker's clients to return
SECONDS = 200


def restart_broker(plane: Plane) -> None:
    plane.daemons["rabbit"].stop()
    plane.start_broker()


def restart_conductor(plane: Plane) -> None:
    conductor = plane.daemons["nova-conductor"]
    conductor.stop()
    conductor.start()
    plane.wait_served("nova-conductor")


@pytest.mark.parametrize(
    ("restart", "on"),
    [(restart_conductor, "threading"), (restart_broker, "eventlet")],
)
def test_every_server_ends_active_or_with_a_fault(
    restart: Callable[[Plane], None], on: str, agents: MakeAgents, plane: Plane, cloud: Cloud
) -> None:
    pair = agents(2, backend=on)
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
    for agent in pair:
        agent.stop()
        cloud.forget(agent.host)


def _some_building(cloud: Cloud, ids: list[str]) -> None:
    reached = [server.name for server in cloud.servers(ids).values() if server.compute_host]
    if len(reached) < 3:
        raise waiting.NotYet(reached)
