"""The nodes of this host: each one's record, totals and ledger, and how its record is published."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from computed.resources import node_record
from computed.resources.claims import NodeIdentity
from computed.resources.ledger import Ledger
from computed.resources.providers import Offer
from computed.virt.specs import NodeResources


class Node:
    """One node. The ledger is what claims go by; the record is what others see of it, published later."""

    def __init__(
        self, record: Any, resources: NodeResources, ledger: Ledger, offer: Offer, host_ip: str
    ) -> None:
        """`record` is the `objects.ComputeNode`, created or found by the caller."""
        self.record = record
        self.ledger = ledger
        self.record_is_lost = False
        self.failed_builds = 0
        self.metrics: Sequence[Any] = ()
        self._resources = resources
        self._offer = offer
        self._host_ip = host_ip
        self._publishing = threading.Lock()

    @property
    def name(self) -> str:
        """The name that the driver gives the node."""
        return self._resources.hypervisor_hostname

    @property
    def uuid(self) -> str:
        """The uuid of the record and of the resource provider."""
        return str(self.record.uuid)

    @property
    def identity(self) -> NodeIdentity:
        """What a claim stamps into the records of those that come here."""
        return NodeIdentity(self.record.host, self.name, self.record.id)

    def describe(self, resources: NodeResources) -> None:
        """Take new totals and facts of the node."""
        self._resources = resources

    def replace_record(self, record: Any) -> None:
        """Go on with another record, the old one being gone; who holds what stays."""
        with self._publishing:
            self.record = record
            self.record_is_lost = False

    def publish(self, context: Any) -> bool:
        """Save the record if it no longer says what the ledger and the driver say; True when it was saved.

        At most one call of the conductor. Callers wait for each other, and one save speaks for all whose
        changes were in the ledger when it began. Raises what `ComputeNode.save` raises; the next call
        then tries again.
        """
        with self._publishing:
            fields = node_record.facts(self._resources, self._host_ip, self.metrics)
            fields |= node_record.ratios(self._offer, is_new=False)
            fields |= node_record.sums(self._resources, self.ledger.load(), self.failed_builds)
            if not node_record.apply(self.record, fields):
                return False
            self.record._context = context
            self.record.save()
            # A record counts as changed as long as anything in it does, also right after it was saved.
            self.record.obj_reset_changes(recursive=True)
            return True


class Nodes:
    """The nodes that are known, by name. Reading needs no lock: a change replaces the whole table."""

    def __init__(self) -> None:
        self._by_name: dict[str, Node] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Node | None:
        """The node of this name, or None."""
        return self._by_name.get(name)

    def add(self, node: Node) -> None:
        """Know a node from now on."""
        with self._lock:
            self._by_name = {**self._by_name, node.name: node}

    def remove(self, name: str) -> None:
        """Know the node of this name no longer."""
        with self._lock:
            self._by_name = {key: node for key, node in self._by_name.items() if key != name}

    def names(self) -> frozenset[str]:
        """Every known name."""
        return frozenset(self._by_name)

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._by_name.values()))
