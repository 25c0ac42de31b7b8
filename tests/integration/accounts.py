"""What placement, neutron, cinder and nova hold for the surviving servers, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from tests.integration.agents import Agent
from tests.integration.cloud import Cloud

#: statuses in which a migration needs nothing more from anybody
_ENDED = ("confirmed", "reverted", "completed", "done", "cancelled", "error", "failed")
_AWAITS_THE_USER = "finished"


def faults(cloud: Cloud, agents: Collection[Agent], ids: Collection[str]) -> list[str]:
    """Everything held on ``agents`` that the servers ``ids`` do not explain, and all that they lack."""
    servers = cloud.servers(ids)
    missing = [f"server {key} is gone" for key in ids if key not in servers]
    return [
        *missing,
        *_allocations(cloud, agents, servers),
        *_ports(cloud, servers),
        *_attachments(cloud, servers),
        *_migrations(cloud, agents, servers),
    ]


def _allocations(cloud: Cloud, agents: Collection[Agent], servers: dict[str, Any]) -> list[str]:
    wrong = []
    for agent in agents:
        hypervisor = cloud.hypervisor(agent.host)
        assert hypervisor is not None
        held = cloud.provider(hypervisor["id"], "allocations")["allocations"]
        found = {consumer: allocation["resources"] for consumer, allocation in held.items()}
        due = {key: _resources(s) for key, s in servers.items() if s.compute_host == agent.host}
        # A resize to be confirmed holds the old flavor too, for a consumer of its own: the migration.
        waiting = any(server.status == "VERIFY_RESIZE" for server in servers.values())
        for consumer in found.keys() | due.keys():
            if found.get(consumer) != due.get(consumer) and not (waiting and consumer not in servers):
                wrong.append(
                    f"{agent.host}: {consumer} holds {found.get(consumer)}, due is {due.get(consumer)}"
                )
    return wrong


def _resources(server: Any) -> dict[str, int]:
    flavor = server.flavor
    disk = 0 if not (server.image and server.image.id) else flavor.disk
    asked = {"VCPU": flavor.vcpus, "MEMORY_MB": flavor.ram, "DISK_GB": disk}
    return {name: amount for name, amount in asked.items() if amount}


def _ports(cloud: Cloud, servers: dict[str, Any]) -> list[str]:
    wrong = []
    for port in cloud.admin.network.ports(project_id=cloud.demo.session.get_project_id()):
        server = servers.get(port.device_id)
        if server is None:
            if port.device_id or port.binding_host_id:
                wrong.append(f"port {port.id} is of {port.device_id} on {port.binding_host_id}")
            continue
        if server.status == "SHELVED_OFFLOADED":
            continue
        answer = cloud.admin.network.get(f"/ports/{port.id}/bindings").json()["bindings"]
        bindings = [(binding["host"], binding["status"]) for binding in answer]
        if bindings != [(server.compute_host, "ACTIVE")]:
            wrong.append(f"port {port.id} of a server on {server.compute_host} has bindings {bindings}")
    return wrong


def _attachments(cloud: Cloud, servers: dict[str, Any]) -> list[str]:
    answer = cloud.admin.block_storage.get("/attachments/detail?all_tenants=1", microversion="3.44")
    found: Counter[tuple[str, str, str]] = Counter(
        (a["instance"], a["volume_id"], a["status"]) for a in answer.json()["attachments"]
    )
    due: Counter[tuple[str, str, str]] = Counter(
        (key, volume["id"], "reserved" if server.status == "SHELVED_OFFLOADED" else "attached")
        for key, server in servers.items()
        for volume in server.attached_volumes
    )
    return [f"attachment too many: {a}" for a in found - due] + [f"no attachment {a}" for a in due - found]


def _migrations(cloud: Cloud, agents: Collection[Agent], servers: dict[str, Any]) -> list[str]:
    ours = [agent.host for agent in agents]
    listed = cloud.admin.compute.get("/os-migrations").json()["migrations"]
    wrong = []
    for migration in listed:
        if migration["source_compute"] not in ours:
            continue
        server = servers.get(migration["instance_uuid"])
        open_ = migration["status"] == _AWAITS_THE_USER and server and server.status == "VERIFY_RESIZE"
        if migration["status"] not in _ENDED and not open_:
            wrong.append(
                f"migration {migration['id']} of {migration['instance_uuid']}: {migration['status']}"
            )
    return wrong
