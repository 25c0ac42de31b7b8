"""What the tests do to the cloud and read from it, through the public APIs; every wait is bounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from openstack import exceptions

from tests.integration.agents import Agent
from tests.integration.plane import provision, waiting
from tests.integration.plane.settings import Settings
from tests.integration.volumes import Volumes

#: what a boot or a power verb may take on a busy two-core machine
SECONDS = 120


class Cloud:
    """Two people at the API: ``demo`` owns the servers, ``admin`` looks at the machinery (same project)."""

    def __init__(self, settings: Settings) -> None:
        self.demo: Any = provision.connect(settings, "demo")
        self.admin: Any = provision.connect(settings, "admin", "demo")
        self.volumes = Volumes(self.demo.block_storage)

    @cached_property
    def flavors(self) -> dict[str, str]:
        return {flavor.name: flavor.id for flavor in self.admin.compute.flavors()}

    @cached_property
    def image_id(self) -> str:
        return str(self.demo.image.find_image(provision.IMAGE).id)

    @cached_property
    def network_id(self) -> str:
        return str(self.demo.network.find_network(provision.NETWORK).id)

    # -- servers

    def boot(self, count: int, prefix: str, flavor: str = "m1.nano", **extra: Any) -> list[str]:
        """Ask for ``count`` servers with a port each; returns their ids without waiting."""
        user = self.admin if "availability_zone" in extra else self.demo
        extra.setdefault("networks", [{"uuid": self.network_id}])
        if "block_device_mapping" not in extra:
            extra.setdefault("image_id", self.image_id)

        def ask(number: int) -> str:
            return str(
                user.compute.create_server(
                    name=f"{prefix}-{number}", flavor_id=self.flavors[flavor], **extra
                ).id
            )

        # Cached properties first: threads would each fetch them.
        assert self.image_id and self.flavors
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(ask, range(count)))

    def servers(self, ids: Collection[str] | None = None) -> dict[str, Any]:
        """All servers of the project, or those of ``ids``, by id, as the admin sees them."""
        found = {server.id: server for server in self.admin.compute.servers(details=True)}
        return found if ids is None else {key: found[key] for key in ids if key in found}

    def wait_settled(self, ids: Collection[str], seconds: float = SECONDS) -> dict[str, Any]:
        """Until no server of ``ids`` has a task under way and each is ACTIVE, SHUTOFF or ERROR."""

        def probe() -> dict[str, Any]:
            servers = self.servers(ids)
            moving = {
                s.name: (s.status, s.task_state)
                for s in servers.values()
                if s.task_state or s.status not in ("ACTIVE", "SHUTOFF", "ERROR")
            }
            if moving:
                raise waiting.NotYet(moving)
            return servers

        return waiting.until("servers settled", probe, seconds, 0.5)

    def wait_status(self, ids: Collection[str], status: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Until all servers have ``status`` and no task; a server in ERROR fails at once, with its fault."""

        def probe() -> dict[str, Any]:
            servers = self.servers(ids)
            broken = {s.name: s.fault for s in servers.values() if s.status == "ERROR"}
            assert not broken or status == "ERROR", broken
            missing = {
                s.name: (s.status, s.task_state)
                for s in servers.values()
                if s.status != status or s.task_state
            }
            if missing or len(servers) < len(ids):
                raise waiting.NotYet(missing or f"{len(servers)} of {len(ids)} listed")
            return servers

        return waiting.until(f"{len(ids)} servers {status}", probe, seconds, 0.5)

    def wait_task(self, ids: Collection[str], task: str, seconds: float = SECONDS) -> None:
        """Until every server is in the midst of ``task``."""

        def probe() -> None:
            others = {s.name: s.task_state for s in self.servers(ids).values() if s.task_state != task}
            if others:
                raise waiting.NotYet(others)

        waiting.until(f"{len(ids)} servers {task}", probe, seconds, 0.2)

    def each(self, ids: Iterable[str], verb: Callable[..., Any], *arguments: Any) -> list[Any]:
        """``verb(id, *arguments)`` for every server, four at a time."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda server: verb(server, *arguments), ids))

    def delete(self, ids: Collection[str], seconds: float = SECONDS) -> None:
        """Delete the servers and wait until the API knows them no more."""
        self.each(ids, self.demo.compute.delete_server)

        def probe() -> None:
            left = {s.name: (s.status, s.task_state) for s in self.servers(ids).values()}
            if left:
                raise waiting.NotYet(left)

        waiting.until(f"{len(ids)} servers deleted", probe, seconds, 0.5)

    def console(self, server_id: str, protocol: str, kind: str) -> dict[str, Any]:
        """A new console, as the API's proxy is told of it: with host and port."""
        made = self.demo.compute.create_server_remote_console(server_id, protocol=protocol, type=kind)
        [token] = re.findall(r"token(?:=|%3D)([0-9a-f-]{36})", made.url)
        shown = self.admin.compute.get(f"/os-console-auth-tokens/{token}", microversion="2.99")
        console: dict[str, Any] = shown.json()["console"]
        return console

    def actions(self, server_id: str) -> dict[str, list[tuple[str, str | None]]]:
        """Instance actions by name, oldest first, each with its events as (name, result)."""
        listed = self.admin.compute.get(f"/servers/{server_id}/os-instance-actions").json()["instanceActions"]
        result: dict[str, list[tuple[str, str | None]]] = {}
        for action in reversed(listed):
            path = f"/servers/{server_id}/os-instance-actions/{action['request_id']}"
            events = self.admin.compute.get(path).json()["instanceAction"]["events"]
            result.setdefault(action["action"], []).extend(
                (e["event"], e["result"]) for e in reversed(events)
            )
        return result

    # -- ports

    def ports(self, ids: Collection[str]) -> list[Any]:
        return [port for port in self.admin.network.ports() if port.device_id in ids]

    def wait_ports_active(self, ids: Collection[str], seconds: float = 60) -> list[Any]:
        """Until every server has a port and all of them are ACTIVE."""

        def probe() -> list[Any]:
            ports = self.ports(ids)
            down = [(port.id, port.status, port.binding_host_id) for port in ports if port.status != "ACTIVE"]
            if down or {port.device_id for port in ports} != set(ids):
                raise waiting.NotYet(down or f"{len(ports)} ports of {len(ids)}")
            return ports

        return waiting.until("ports ACTIVE", probe, seconds, 0.5)

    # -- hosts

    def service(self, host: str) -> Any | None:
        return next(iter(self.admin.compute.services(binary="nova-compute", host=host)), None)

    def hypervisor(self, host: str) -> dict[str, Any] | None:
        """The compute node of a host with one node, in microversion 2.87.

        From 2.88 on the API asks every compute for its uptime, and a silent one holds the list up.
        """
        answer = self.admin.compute.get("/os-hypervisors/detail", microversion="2.87")
        exceptions.raise_from_response(answer)
        return next((h for h in answer.json()["hypervisors"] if h["service"]["host"] == host), None)

    def provider(self, provider_id: str, what: str) -> Any:
        """``what`` (inventories, traits, allocations, usages...) of a resource provider."""
        answer = self.admin.placement.get(f"/resource_providers/{provider_id}/{what}", microversion="1.39")
        exceptions.raise_from_response(answer)
        return answer.json()

    def _has_inventory(self, provider_id: str) -> bool:
        """A compute writes its node's record first, then makes the resource provider."""
        try:
            return bool(self.provider(provider_id, "inventories")["inventories"])
        except exceptions.NotFoundException:
            return False

    def wait_usable(self, agents: Collection[Agent], seconds: float = 90) -> None:
        """Until each agent's service is up, its host mapped to the cell, and its provider has inventory."""

        def probe() -> None:
            services = {s.host: s.state for s in self.admin.compute.services(binary="nova-compute")}
            alive = {a.host for a in self.admin.network.agents() if a.is_alive}
            for agent in agents:
                agent.daemon.check()
                if services.get(agent.host) != "up":
                    raise waiting.NotYet(f"{agent.host}: service {services.get(agent.host)}")
                hypervisor = self.hypervisor(agent.host)
                if hypervisor is None:
                    raise waiting.NotYet(f"{agent.host}: not mapped to the cell")
                if not self._has_inventory(hypervisor["id"]):
                    raise waiting.NotYet(f"{agent.host}: no inventory")
                if agent.host not in alive:
                    raise waiting.NotYet(f"{agent.host}: no layer 2 agent")

        waiting.until("computes usable", probe, seconds, 0.5)

    def wait_heartbeat(self, agents: Collection[Agent], seconds: float = 60) -> None:
        """Until each agent's service record is written anew (it says "up" long after a compute died)."""

        def heartbeats() -> dict[str, Any]:
            services = self.admin.compute.services(binary="nova-compute")
            return {s.host: (s.updated_at, s.state) for s in services}

        before = heartbeats()

        def probe() -> None:
            now = heartbeats()
            for agent in agents:
                agent.daemon.check()
                if now[agent.host] == before[agent.host] or now[agent.host][1] != "up":
                    raise waiting.NotYet(f"{agent.host}: {now[agent.host]}")

        waiting.until("heartbeats", probe, seconds, 0.5)

    def say_down(self, host: str) -> None:
        """Tell the API that a host is dead, so that it deletes servers there without asking."""
        service = self.service(host)
        if service is not None:
            self.admin.compute.update_service_forced_down(service, forced=True)

    def say_up(self, host: str) -> None:
        """Take ``say_down`` back; the host must run again."""
        service = self.service(host)
        assert service is not None
        self.admin.compute.update_service_forced_down(service, forced=False)

    def forget(self, host: str) -> None:
        """Delete the compute service, and with it the host's mapping and resource provider."""
        service = self.service(host)
        if service is None:
            return
        try:
            self.admin.compute.delete_service(service)
        except exceptions.ConflictException:
            # It still has servers: a test failed.  Nothing is scheduled to it any more.
            self.admin.compute.disable_service(service)
