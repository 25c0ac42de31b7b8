"""Claims: the question whether an instance fits, and the held place of one that does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from computed import errors
from computed.objects.base import if_set
from computed.resources import unplaced
from computed.resources.ledger import Entry, Ledger, Ticket
from computed.resources.usage import Usage


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a node may be filled, reserved amounts included; None is no limit.

    `numa` is the `objects.NUMATopologyLimits` of the scheduler, for the NUMA arithmetic.
    """

    vcpus: float | None = None
    memory_mib: float | None = None
    disk_gib: float | None = None
    numa: Any = None

    @classmethod
    def of(cls, limits: Any) -> Limits:
        """From `objects.SchedulerLimits`, a mapping with its keys (vcpu, memory_mb, disk_gb), or None."""
        if limits is None:
            return cls()
        get = limits.get if isinstance(limits, Mapping) else lambda key: if_set(limits, key)
        return cls(get("vcpu"), get("memory_mb"), get("disk_gb"), get("numa_topology"))


def shortfalls(used: Usage, wanted: Usage, limits: Limits) -> list[str]:
    """Why `wanted` does not fit beside `used`, one sentence for each limit that it would break."""
    rows = (
        ("vCPUs", used.vcpus, wanted.vcpus, limits.vcpus),
        ("MiB of memory", used.memory_mib, wanted.memory_mib, limits.memory_mib),
        ("GiB of disk", used.disk_gib, wanted.disk_gib, limits.disk_gib),
    )
    return [
        f"{want} {what} asked for, {max(limit - use, 0):g} of {limit:g} left"
        for what, use, want, limit in rows
        if limit is not None and use + want > limit
    ]


@dataclass(frozen=True, slots=True)
class NumaQuestion:
    """May `instance`, with `flavor`, join the topologies that are there, within `limits`?"""

    instance: Any
    flavor: Any
    limits: Any
    present: Sequence[Any]


NumaFit = Callable[[NumaQuestion], Any]
"""Answers the instance's NUMA topology as placed on the node (None: it has none), or raises
ComputeResourcesUnavailable. Runs under the ledger's lock: arithmetic only. Without a hook whoever asks for a
topology is refused (`unplaced`)."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Where a claim is: host, node name, and the id of the compute node record."""

    host: str
    nodename: str
    compute_node_id: int


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Everything a claim wants to know: for whom, how much, within which limits."""

    instance: Any
    flavor: Any
    entry: Entry
    limits: Limits
    migration: Any = None
    numa_topology: Any = None
    """What the instance asked for with this flavor, before any host placed it."""

    @property
    def key(self) -> tuple[str, str | None]:
        """The ledger key of this request."""
        return self.instance.uuid, None if self.migration is None else self.migration.uuid


class Claim:
    """A held place on a node, as a context manager: leaving by any exception gives the place back.

    Leaving without one settles it: by then the records must name this host (save the stamped instance, or
    the stamped migration, inside the block), because from then on the audit goes by the records.
    """

    def __init__(
        self, ledger: Ledger, node: NodeIdentity, request: ClaimRequest, taken: tuple[Ticket, Entry]
    ) -> None:
        self._ledger = ledger
        self._ticket, self.entry = taken
        self.node = node
        self.instance_uuid: str = request.instance.uuid
        self.migration = request.migration
        self._requested_numa_topology = request.numa_topology

    @property
    def claimed_numa_topology(self) -> Any:
        """The instance's NUMA topology as placed on this node; None when it has none."""
        return self.entry.numa_topology

    def stamp(self, instance: Any) -> None:
        """Write into `instance` that it is here: host, node, compute_id, launched_on, and its NUMA topology
        if that was placed."""
        instance.host = self.node.host
        instance.launched_on = self.node.host
        instance.node = self.node.nodename
        instance.compute_id = self.node.compute_node_id
        if self.claimed_numa_topology is not None:
            instance.numa_topology = self.claimed_numa_topology

    def unstamp(self, instance: Any) -> None:
        """Take the stamp back; `launched_on` stays, as the last host that tried."""
        instance.host = None
        instance.node = None
        instance.compute_id = None
        if self.claimed_numa_topology is not None:
            instance.numa_topology = self._requested_numa_topology

    def stamp_migration(self, migration: Any, dest_host: str) -> None:
        """Write this node into `migration` as where it goes; `dest_host` is this host's address.

        A live migration keeps its status, every other one becomes `pre-migrating`.
        """
        migration.dest_compute = self.node.host
        migration.dest_node = self.node.nodename
        migration.dest_compute_id = self.node.compute_node_id
        migration.dest_host = dest_host
        if migration.migration_type != "live-migration":
            migration.status = "pre-migrating"

    def settle(self) -> None:
        """Keep the place: the records name this host. Idempotent."""
        self._ledger.settle(self._ticket)

    def abort(self) -> None:
        """Give the place back; idempotent, and harmless when somebody else has it by now."""
        self._ledger.give_back(self._ticket)

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.settle()
        else:
            self.abort()


def take(ledger: Ledger, node: NodeIdentity, request: ClaimRequest, fit_numa: NumaFit | None = None) -> Claim:
    """Claim a place for `request`; raises ComputeResourcesUnavailable, and then holds nothing."""

    def check(used: Usage, topologies: Sequence[Any]) -> Any:
        reasons = shortfalls(used, request.entry.usage, request.limits)
        if reasons:
            raise errors.ComputeResourcesUnavailable(reason="; ".join(reasons))
        if fit_numa is None:
            unplaced.refuse(request.instance, request.flavor, request.numa_topology)
            return None
        question = NumaQuestion(request.instance, request.flavor, request.limits.numa, topologies)
        return fit_numa(question)

    taken = ledger.take(request.key, request.entry, check)
    try:
        return Claim(ledger, node, request, taken)
    except BaseException:
        ledger.give_back(taken[0])
        raise
