"""SIGTERM: an idle agent is gone at once; a busy one finishes what it has begun; none waits for ever."""

from __future__ import annotations

import pytest

from tests.integration.cloud import Cloud
from tests.integration.conftest import BACKENDS, ONE_OF_BACKENDS, MakeAgents
from tests.integration.plane.plane import Plane

IDLE_SECONDS = 3
WITHOUT_BROKER_SECONDS = 45


@pytest.mark.parametrize("on", BACKENDS)
def test_an_idle_agent_ends_with_status_zero(on: str, agents: MakeAgents, cloud: Cloud) -> None:
    (agent,) = agents(1, backend=on)
    cloud.wait_heartbeat([agent])
    ended = agent.stop()
    assert ended.status == 0
    assert ended.seconds <= IDLE_SECONDS


@pytest.mark.parametrize("on", ONE_OF_BACKENDS)
def test_work_in_flight_is_finished(on: str, agents: MakeAgents, cloud: Cloud) -> None:
    (agent,) = agents(1, backend=on, options={"fake": {"delays": "spawn:4"}})
    ids = cloud.boot(3, "drain", availability_zone=f"nova:{agent.host}")
    cloud.wait_task(ids, "spawning")
    assert agent.stop().status == 0
    cloud.wait_status(ids, "ACTIVE", 10)
    agent.start()
    cloud.wait_heartbeat([agent])
    cloud.wait_status(ids, "ACTIVE")
    cloud.delete(ids)


@pytest.mark.long
def test_agents_end_though_the_broker_is_gone(agents: MakeAgents, plane: Plane) -> None:
    ours = [agent for backend in BACKENDS for agent in agents(1, backend=backend)]
    plane.daemons["rabbit"].stop()
    try:
        for agent in ours:
            agent.daemon.terminate()
        assert [agent.daemon.wait_exit(WITHOUT_BROKER_SECONDS) for agent in ours] == [0, 0]
    finally:
        plane.start_broker()
