"""Two hosts and a conductor for the tests of live migrations, and what they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from computed.embedded.flavors import find_flavor
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.notices import TOLD, Notices


@dataclass
class World:
    """A pair of hosts, who tells them what to do, and what they told."""

    cloud: Cloud
    role: ConductorRole
    notices: Notices

    def boot(self, **order: Any) -> str:
        """A server on the first host."""
        (uuid,) = self.cloud.boot(host=HOST, **order)
        return uuid

    def driver(self, host: str) -> Any:
        """The driver of a host."""
        return self.cloud.agents[host].host.driver

    def guests(self, host: str) -> set[str]:
        """The uuids of the guests on a host."""
        return set(self.driver(host).states())

    def console(self, uuid: str, host: str) -> str:
        """What the guest has said."""
        text: bytes = self.driver(host).console_output(None, self.cloud.instance(uuid))
        return text.decode()

    def status(self, migration: str) -> str:
        """How far a migration is."""
        return str(self.role.migration(migration).status)

    def bindings(self, uuid: str) -> list[tuple[str | None, list[str]]]:
        """Where each port is bound, and where inactively."""
        return [
            (port["host"], list(port.get("inactive_hosts") or ()))
            for port in self.cloud.rows("Port", instance_uuid=uuid)
        ]

    def used(self, host: str) -> int:
        """How many lines a host's ledger has."""
        tracker = self.cloud.agents[host].host.tracker
        return sum(len(node.ledger.entries()) for node in tracker._nodes)

    def set(self, host: str, **options: Any) -> None:
        """Give a host's fake driver orders: delays, fail."""
        for name, value in options.items():
            self.cloud.agents[host].conf.set_override(name, value, group="fake")

    def network_info(self, uuid: str) -> Any:
        """The interfaces of a server as its record has them."""
        return self.cloud.instance(uuid).info_cache.network_info

    def flavor(self, uuid: str) -> Any:
        """The size of a server."""
        return find_flavor(self.role.flavor_name(self.cloud.row(uuid)))

    @contextmanager
    def recorded(self, method: str, *, deliver: bool = True) -> Iterator[list[dict[str, Any]]]:
        """Keep the casts of `method` that the control plane sends in the block, to be sent again later."""
        rpc, kept = self.cloud.rpc, []
        cast = rpc.cast

        def keep(name: str, **arguments: Any) -> None:
            if name == method:
                kept.append({"method": name, **arguments})
            if name != method or deliver:
                cast(name, **arguments)

        rpc.cast = keep  # type: ignore[method-assign,assignment]
        try:
            yield kept
        finally:
            rpc.cast = cast  # type: ignore[method-assign]

    @contextmanager
    def zone(self, name: str) -> Iterator[None]:
        """The conductor finds the destination of live migrations in another zone."""
        rpc = self.cloud.rpc
        cast = rpc.cast

        def send(method: str, **arguments: Any) -> None:
            if method == "live_migration":
                arguments["instance"].availability_zone = name
            cast(method, **arguments)

        rpc.cast = send  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            rpc.cast = cast  # type: ignore[method-assign]

    @contextmanager
    def doubled(self, method: str) -> Iterator[None]:
        """Every cast of `method` that the control plane sends in the block comes twice."""
        rpc = self.cloud.rpc
        cast = rpc.cast

        def twice(name: str, **arguments: Any) -> None:
            for _ in range(2 if name == method else 1):
                cast(name, **arguments)

        rpc.cast = twice  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            rpc.cast = cast  # type: ignore[method-assign]

    @contextmanager
    def statuses(self) -> Iterator[list[str]]:
        """The statuses that are saved for migrations inside the block, in order."""
        seen: list[str] = []
        store = self.cloud.embedded.store

        def note(proceed: Callable[[], Any]) -> Any:
            answer = proceed()
            with store.transaction() as records:
                rows = records.find("Migration", read_deleted="yes")
            newest = str(max(rows, key=lambda row: row["id"])["status"])
            if not seen or seen[-1] != newest:
                seen.append(newest)
            return answer

        planted = self.cloud.trouble("Migration", "save", note, times=1000)
        yield seen
        self.cloud.settle()
        self.cloud._troubles.remove(planted)

    def assert_stayed(self, uuid: str, migration: str, status: str, *, host: str = HOST) -> None:
        """The server runs where it was, nothing of the migration is left anywhere."""
        there = "second" if host == HOST else HOST
        row = self.cloud.row(uuid)
        assert (row["host"], row["vm_state"], row["task_state"]) == (host, "active", None), row["vm_state"]
        assert self.status(migration) == status
        assert uuid in self.guests(host) and uuid not in self.guests(there)
        assert not self.driver(there).has_disks_of(self.cloud.instance(uuid))
        assert self.driver(there)._coming == {}
        assert self.bindings(uuid) == [(host, [])]
        assert set(self.role.holds(uuid)) == {host} and self.role.holds(migration) == {}
        assert self.used(there) == 0


def make_world(
    make_pair: Callable[..., Cloud],
    first: dict[str, Any] | None = None,
    second: dict[str, Any] | None = None,
    *,
    told: bool = True,
) -> World:
    """Two hosts with these options; they notify unless not `told`."""
    more = TOLD if told else {}
    cloud = make_pair(first={**more, **(first or {})}, second={**more, **(second or {})})
    return World(cloud, ConductorRole(cloud), Notices(cloud.bus))
