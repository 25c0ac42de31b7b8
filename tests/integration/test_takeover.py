"""A host of stock nova-compute becomes one of ours and back, on the same file; both look alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.agents import STOCK, Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import MakeAgents
from tests.integration.openstack_client import openstack
from tests.integration.plane.settings import Settings

#: fields of `openstack hypervisor show` that tell one moment or one host from another
_MOMENTARY = ("id", "host_time", "uptime", "load_average", "users", "service_id", "host_ip")


@pytest.fixture(scope="module")
def stock(agents: MakeAgents) -> Iterator[Agent]:
    (agent,) = agents(1, kind=STOCK)
    yield agent


def test_the_operator_sees_the_same_host(
    stock: Agent, agents: MakeAgents, settings: Settings, agent_kind: str
) -> None:
    (ours,) = agents(1, kind=agent_kind)
    assert _seen(settings, ours.host) == _seen(settings, stock.host)


def test_takeover_and_return(stock: Agent, cloud: Cloud, agent_kind: str) -> None:
    ids = cloud.boot(3, "taken", availability_zone=f"nova:{stock.host}")
    cloud.wait_status(ids, "ACTIVE")
    records = _records(cloud, stock.host)

    stock.stop(60)
    stock.become(agent_kind)
    stock.start()
    cloud.wait_heartbeat([stock])
    assert _records(cloud, stock.host) == records
    servers = cloud.wait_status(ids, "ACTIVE")
    assert not [server.fault for server in servers.values() if server.fault]
    _obeys(cloud, ids[0])
    new = cloud.boot(1, "new", availability_zone=f"nova:{stock.host}")
    cloud.wait_status(new, "ACTIVE")
    assert stock.stop().status == 0

    stock.become(STOCK)
    stock.start()
    cloud.wait_heartbeat([stock])
    assert _records(cloud, stock.host) == records
    cloud.wait_status([*ids, *new], "ACTIVE")
    cloud.delete([*ids, *new])


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
