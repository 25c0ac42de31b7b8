"""The verbs of the public API on a set of servers: asked for of all at once, then waited for."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

from tests.integration.cloud import Cloud
from tests.integration.plane import waiting
from tests.integration.plane.provision import COMPUTE_MICROVERSION


class Verbs:
    """``ids`` are servers of ``demo`` that start and, unless a verb says otherwise, end ACTIVE.

    Each verb returns when no server has a task under way, and fails when one is in ERROR or not where
    the verb should have brought it.
    """

    def __init__(self, cloud: Cloud, ids: Collection[str]) -> None:
        self.cloud, self.ids = cloud, list(ids)
        self.demo, self.admin = cloud.demo.compute, cloud.admin.compute

    # -- at home

    def there_and_back(self, verb: str, status: str, back: str) -> None:
        """``verb`` until ``status``, then ``back`` until ACTIVE; both are methods of openstacksdk's proxy."""
        self.cloud.each(self.ids, getattr(self.admin, verb))
        self.cloud.wait_status(self.ids, status)
        self.cloud.each(self.ids, getattr(self.admin, back))
        self.active()

    def active(self, host: str | None = None) -> dict[str, Any]:
        servers = self.cloud.wait_status(self.ids, "ACTIVE")
        if host is not None:
            assert {server.compute_host for server in servers.values()} == {host}
        assert {server.power_state for server in servers.values()} == {1}
        return servers

    def act(self, body: dict[str, Any], microversion: str = COMPUTE_MICROVERSION) -> None:
        """One server action for each server, as it is written in the API reference."""

        def ask(server: str) -> None:
            answer = self.admin.post(f"/servers/{server}/action", json=body, microversion=microversion)
            assert answer.status_code in (200, 202), answer.text

        self.cloud.each(self.ids, ask)

    def rebuild(self, image: str) -> None:
        self.cloud.each(self.ids, lambda server: self.demo.rebuild_server(server, image))
        self.active()

    # -- moves

    @contextlib.contextmanager
    def only(self, host: str) -> Iterator[None]:
        """While it lasts, the scheduler chooses ``host``: all others are disabled."""
        others = [s for s in self.admin.services(binary="nova-compute") if s.host != host]
        others = [service for service in others if service.status == "enabled" and service.state == "up"]
        for service in others:
            self.admin.disable_service(service)
        try:
            yield
        finally:
            for service in others:
                self.admin.enable_service(service)

    def resize(self, flavor: str, host: str) -> None:
        """Until VERIFY_RESIZE on ``host``."""
        with self.only(host):
            self.cloud.each(
                self.ids, lambda server: self.demo.resize_server(server, self.cloud.flavors[flavor])
            )
            servers = self.cloud.wait_status(self.ids, "VERIFY_RESIZE")
        assert {server.compute_host for server in servers.values()} == {host}

    def cold_migrate(self, host: str) -> None:
        """Until VERIFY_RESIZE on ``host``."""
        self.cloud.each(self.ids, lambda server: self.admin.migrate_server(server, host=host))
        servers = self.cloud.wait_status(self.ids, "VERIFY_RESIZE")
        assert {server.compute_host for server in servers.values()} == {host}

    def confirm(self) -> None:
        before = {server.compute_host for server in self.cloud.servers(self.ids).values()}
        self.cloud.each(self.ids, self.demo.confirm_server_resize)
        assert {server.compute_host for server in self.active().values()} == before
        self._migrations_end("confirmed")

    def revert(self, host: str) -> None:
        """Until ACTIVE on ``host``, from where they came."""
        self.cloud.each(self.ids, self.demo.revert_server_resize)
        self.active(host)
        self._migrations_end("reverted")

    def live_migrate(self, host: str, *, block: bool | str = "auto") -> None:
        self.cloud.each(self.ids, lambda server: self.ask_live_migration(server, host, block))
        self.arrive(host)
        self._migrations_end("completed")

    def ask_live_migration(self, server: str, host: str, block: bool | str = "auto") -> None:
        self.admin.live_migrate_server(server, host=host, block_migration=block)

    def arrive(self, host: str, status: str = "ACTIVE") -> None:
        """Until all have ``status`` on ``host``."""

        def probe() -> None:
            servers = self.cloud.servers(self.ids)
            where = {s.name: (s.status, s.task_state, s.compute_host) for s in servers.values()}
            assert "ERROR" not in {s.status for s in servers.values()}, where
            if {(s.status, s.task_state, s.compute_host) for s in servers.values()} != {(status, None, host)}:
                raise waiting.NotYet(where)

        waiting.until(f"servers on {host}", probe, 120, 0.5)

    def shelve(self) -> None:
        """Until SHELVED_OFFLOADED: the control plane's default is to offload at once."""
        self.cloud.each(self.ids, self.demo.shelve_server)
        self.cloud.wait_status(self.ids, "SHELVED_OFFLOADED")

    def unshelve(self, host: str) -> None:
        self.act({"unshelve": {"host": host}})
        self.active(host)

    def evacuate(self, host: str, *, stopped: bool) -> None:
        """From hosts that the API has been told are down; newer microversions leave the servers stopped."""
        self.act({"evacuate": {"host": host}}, "2.95" if stopped else "2.94")
        self.arrive(host, "SHUTOFF" if stopped else "ACTIVE")

    def last_migration(self, server: str) -> dict[str, Any]:
        listed = self.admin.get(f"/os-migrations?instance_uuid={server}").json()["migrations"]
        newest: dict[str, Any] = max(listed, key=lambda migration: migration["id"])
        return newest

    def _migrations_end(self, status: str) -> None:
        """The record may be written after the server is ACTIVE again."""

        def probe() -> None:
            found = {server: self.last_migration(server)["status"] for server in self.ids}
            if set(found.values()) != {status}:
                raise waiting.NotYet(found)

        waiting.until(f"migrations {status}", probe, 30, 0.5)
