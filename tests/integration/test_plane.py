"""The harness itself: what a test may take for granted about the plane."""

from __future__ import annotations

from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents


def test_an_agent_becomes_usable_and_boots_a_server_on_a_port(agents: MakeAgents, cloud: Cloud) -> None:
    (agent,) = agents()
    ids = cloud.boot(2, "plane")
    servers = cloud.wait_status(ids, "ACTIVE")
    assert {server.compute_host for server in servers.values()} == {agent.host}
    ports = cloud.wait_ports_active(ids)
    assert {port.binding_host_id for port in ports} == {agent.host}
    cloud.delete(ids)
    assert cloud.ports(ids) == []
