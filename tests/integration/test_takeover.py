"""A host of stock nova-compute becomes one of ours and back, on the same file; both look alike."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.agents import STOCK, Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.openstack_client import openstack
from tests.integration.plane.settings import Settings

pytestmark = pytest.mark.long

#: fields of `openstack hypervisor show` that tell one moment or one host from another
_MOMENTARY = ("id", "host_time", "uptime", "load_average", "users", "service_id", "host_ip")


def test_the_operator_sees_the_same_host(agents: MakeAgents, settings: Settings, agent_kind: str) -> None:
    (stock,) = agents(1, kind=STOCK)
    (ours,) = agents(1, kind=agent_kind)
    assert _seen(settings, ours.host) == _seen(settings, stock.host)


# The stock FakeDriver makes up another node uuid in each process and has no compute_id file.  It can not even
# come back to a host of its own, so the way back is tried with the variant that has a stable node.
@pytest.mark.parametrize(
    ("driver", "comes_back"), [("fake.FakeDriver", False), ("fake.FakeDriverWithoutFakeNodes", True)]
)
def test_takeover(driver: str, comes_back: bool, agents: MakeAgents, cloud: Cloud, agent_kind: str) -> None:
    (agent,) = agents(1, kind=STOCK, options={"DEFAULT": {"compute_driver": driver}})
    zone = f"nova:{agent.host}"
    ids = cloud.boot(3, "taken", availability_zone=zone)
    cloud.wait_status(ids, "ACTIVE")
    records = _records(cloud, agent.host)

    _become(agent, agent_kind, cloud)
    assert _records(cloud, agent.host) == records
    servers = cloud.wait_status(ids, "ACTIVE")
    assert not [server.fault for server in servers.values() if server.fault]
    _obeys(cloud, ids[0])
    ids += cloud.boot(1, "new", availability_zone=zone)
    cloud.wait_status(ids, "ACTIVE")

    if comes_back:
        _become(agent, STOCK, cloud)
        assert _records(cloud, agent.host) == records
        cloud.wait_status(ids, "ACTIVE")
    cloud.delete(ids)


def _become(agent: Agent, kind: str, cloud: Cloud) -> None:
    agent.stop(60)
    agent.become(kind)
    agent.start()
    cloud.wait_heartbeat([agent])


def _obeys(cloud: Cloud, server: str) -> None:
    cloud.demo.compute.stop_server(server)
    cloud.wait_status([server], "SHUTOFF")
    cloud.demo.compute.start_server(server)
    cloud.wait_status([server], "ACTIVE")


def _records(cloud: Cloud, host: str) -> dict[str, Any]:
    """Ids of everything the control plane keeps about a host; each kind must have exactly one."""
    services = list(cloud.admin.compute.services(binary="nova-compute", host=host))
    answer = cloud.admin.compute.get("/os-hypervisors/detail", microversion="2.87").json()["hypervisors"]
    nodes = [h["id"] for h in answer if h["service"]["host"] == host]
    providers = [p.id for p in cloud.admin.placement.resource_providers() if p.name == host]
    assert len(services) == len(nodes) == len(providers) == 1
    return {"service": services[0].id, "nodes": nodes, "providers": providers}


def _seen(settings: Settings, host: str) -> dict[str, Any]:
    """What four commands say about a host, without its name and what differs by the second."""
    services = openstack(settings, "compute", "service", "list", "--host", host, "--service", "nova-compute")
    shown = openstack(settings, "hypervisor", "show", host)
    inventory = openstack(settings, "resource", "provider", "inventory", "list", shown["id"])
    traits = openstack(settings, "resource", "provider", "trait", "list", shown["id"])
    return {
        "service": [{k: v for k, v in s.items() if k not in ("ID", "Host", "Updated At")} for s in services],
        "hypervisor": {k: v for k, v in shown.items() if k not in _MOMENTARY and v != host},
        "inventory": {row["resource_class"]: row for row in inventory},
        "traits": sorted(row["name"] for row in traits),
    }
