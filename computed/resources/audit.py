"""The audit: read what there is → add up → compare → publish, for every node of the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from oslo_log import log as logging

from computed import errors
from computed.clients.placement import PlacementClient
from computed.resources import node_finder, records
from computed.resources.ledger import Ledger
from computed.resources.node_finder import FoundNode, Owner
from computed.resources.nodes import Node, Nodes
from computed.resources.orphans import Orphans
from computed.resources.provider_sync import ProviderSync
from computed.resources.providers import NodeReport, Offer
from computed.resources.records import Place, RecordReader, Records
from computed.resources.stale_allocations import StaleAllocations
from computed.virt.port import Driver

LOG = logging.getLogger(__name__)

_WRONG = (
    errors.ConfigError,
    errors.InvalidConfiguration,
    errors.InvalidNodeConfiguration,
    errors.StartRefused,
)
"""What is wrong with the host itself, and keeps it from starting."""


@dataclass(frozen=True, slots=True)
class AuditParts:
    """What an audit works with. `make_lock` makes the lock of each new ledger."""

    host: str
    host_ip: str
    driver: Driver
    placement: PlacementClient
    sync: ProviderSync
    nodes: Nodes
    offer: Offer
    make_lock: Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """The driver's answer: every node's uuid by name, and what it says of those that could be asked."""

    uuids: Mapping[str, str]
    found: Mapping[str, FoundNode]


class Audit:
    """One host's audit; one at a time.

    What fails is logged and tried again the next time: unknown is not gone, so nothing is removed on the
    strength of a failed read, and one node's trouble does not touch the others.
    """

    def __init__(self, parts: AuditParts, reader: RecordReader) -> None:
        self._parts = parts
        self._nodes = parts.nodes
        self._reader = reader
        self._orphans = Orphans(parts.nodes, parts.sync, parts.placement)
        self._stale: dict[str, StaleAllocations] = {}
        self._warned_configs: set[str] = set()

    def run(self, context: Any, service: Any, *, startup: bool, metrics: Sequence[Any] = ()) -> None:
        """Audit every node that the driver has. `service` is the `objects.Service` of this host, or None;
        `metrics` are the host's.

        Raises what a wrong configuration raises, and at `startup` only; afterwards it is logged like any
        other failure.
        """
        try:
            answer = self._ask_driver()
            if answer is None:
                return
            self._find_nodes(context, service, answer)
            nodes = [node for node in self._nodes if node.name in answer.found]
            read = self._read(context, nodes)
        except Exception as exc:
            if startup and isinstance(exc, _WRONG):
                raise
            silent = isinstance(exc, errors.ConductorUnavailable)
            why = ", the conductor does not answer" if silent else ""
            _tell(exc, f"The nodes of this host are not audited{why}")
            return
        for node in nodes:
            node.metrics = metrics
            self._audit_node(context, node, read[node.name], service)
        self._warn_of_absent_configs()

    def _ask_driver(self) -> _Answer | None:
        """What the driver says; None when it is not known which nodes there are."""
        driver = self._parts.driver
        try:
            uuids = driver.node_uuids()
        except (errors.HypervisorUnavailable, errors.VirtDriverNotReady) as exc:
            LOG.warning("The driver does not say which nodes there are, nothing changes: %s", exc)
            return None
        if not uuids:
            # No driver of ours runs a host without a node: more likely the answer is wrong.
            LOG.warning("The driver says that there are no nodes: not believed, nothing changes")
            return None
        found: dict[str, FoundNode] = {}
        for name, uuid in uuids.items():
            try:
                found[name] = FoundNode(uuid, driver.node_resources(name))
            except _WRONG:
                raise
            except Exception as exc:
                _tell(exc, f"Node {name} cannot be asked, it stays as it is")
        return _Answer(uuids, found)

    def _find_nodes(self, context: Any, service: Any, answer: _Answer) -> None:
        """Make every found node known with its record, and remove those that the driver no longer has."""
        self._refuse_changed_identities(answer)
        service_id = None if service is None else service.id
        owner = Owner(self._parts.host, self._parts.host_ip, service_id)
        missing = {name: each for name, each in answer.found.items() if self._lacks_record(name)}
        listed: list[Any] = []
        made: dict[str, Any] = {}
        if missing:
            listed = node_finder.listed_records(context, owner.host)
            made = node_finder.find_or_create(context, owner, missing, listed, self._parts.offer)
        for name, each in answer.found.items():
            self._know(name, each, made.get(name))
        self._orphans.note(answer.uuids, listed)
        self._orphans.remove(context)

    def _lacks_record(self, name: str) -> bool:
        node = self._nodes.get(name)
        return node is None or node.record_is_lost

    def _refuse_changed_identities(self, answer: _Answer) -> None:
        for name, uuid in answer.uuids.items():
            node = self._nodes.get(name)
            if node is not None and node.uuid != uuid:
                raise errors.InvalidConfiguration(f"Node {name} had the uuid {node.uuid} and now has {uuid}.")

    def _know(self, name: str, found: FoundNode, record: Any) -> None:
        node = self._nodes.get(name)
        if node is None:
            offer, lock = self._parts.offer, self._parts.make_lock()
            ledger = Ledger(offer.reserved_in_use, lock=lock)
            self._nodes.add(Node(record, found.resources, ledger, offer, self._parts.host_ip))
            return
        if record is not None:
            node.replace_record(record)
            # Whoever was linked to the old record must be linked to this one.
            self._reader.forget()
        node.describe(found.resources)

    def _read(self, context: Any, nodes: list[Node]) -> dict[str, Records]:
        """Read the records of all nodes and bring the ledgers in line; what happens meanwhile is not lost."""
        if not nodes:
            return {}
        with ExitStack() as stack:
            readings = {node.name: stack.enter_context(node.ledger.reading()) for node in nodes}
            known = {node.name: node.ledger.entries() for node in nodes}
            read = self._reader.read(context, known)
            for node in nodes:
                place = Place(self._parts.host, node.name)
                entries = records.entries_of(place, read[node.name], known[node.name])
                node.ledger.merge(readings[node.name], entries)
        return read

    def _audit_node(self, context: Any, node: Node, read: Records, service: Any) -> None:
        with _logged(node, "the records of those on it are not all set right"):
            self._correct_records(node, read)
        with _logged(node, "placement is not told everything"):
            self._tell_placement(context, node, read, service)
        with _logged(node, "its record is not saved"):
            self._publish(context, node)

    def _publish(self, context: Any, node: Node) -> None:
        try:
            node.publish(context)
        except errors.ComputeHostNotFound:
            LOG.warning("The record of node %s is gone: it is looked for the next time", node.name)
            node.record_is_lost = True
            self._parts.sync.forget(node.uuid)

    def _correct_records(self, node: Node, read: Records) -> None:
        """Link instances to the node's record where they are not, and close migrations that nobody ends."""
        for instance in read.instances:
            linked = instance.compute_id if instance.obj_attr_is_set("compute_id") else None
            if linked != node.record.id and instance.node == node.name:
                LOG.info("Instance %s is linked to compute node record %s", instance.uuid, node.record.id)
                instance.compute_id = node.record.id
                instance.save()
        for migration in records.stale_migrations(read):
            LOG.info(
                "Migration %s of instance %s was left over by an earlier one: it is an error now",
                migration.uuid,
                migration.instance_uuid,
            )
            migration.status = "error"
            migration.save()

    def _tell_placement(self, context: Any, node: Node, read: Records, service: Any) -> None:
        report = self._report(node, service)
        self._parts.sync.sync(context, report)
        try:
            held = self._parts.placement.provider_allocations(context, node.uuid)
        except errors.ResourceProviderNotFound:
            LOG.warning("Somebody deleted the provider of node %s: making it again", node.name)
            self._parts.sync.forget(node.uuid)
            self._parts.sync.sync(context, report)
            return
        here = {instance.uuid for instance in read.instances} | {key[0] for key in node.ledger.entries()}
        moving = {uuid for move in read.migrations for uuid in (move.uuid, move.instance_uuid)}
        moving |= read.placeless
        stale = self._stale.setdefault(node.uuid, StaleAllocations(self._parts.placement))
        stale.review(context, held, here, moving)

    def _report(self, node: Node, service: Any) -> NodeReport:
        driver, name = self._parts.driver, node.name
        return NodeReport(
            node.uuid,
            name,
            driver.node_inventories(name),
            driver.node_traits(name),
            driver.owned_traits(),
            lambda child: driver.owns_provider(name, child),
            lambda: _is_disabled(service),
        )

    def _warn_of_absent_configs(self) -> None:
        absent = {entry.identifier: entry for entry in self._parts.sync.absent_configs()}
        for identifier in absent.keys() - self._warned_configs:
            LOG.warning("%s names provider %s, which is not there", absent[identifier].source, identifier)
        self._warned_configs = set(absent)


def _is_disabled(service: Any) -> bool | None:
    """What its record says of a service now; None when it is not known."""
    if service is None or not service.obj_attr_is_set("disabled"):
        return None
    return bool(service.disabled)


@contextmanager
def _logged(node: Node, consequence: str) -> Iterator[None]:
    """Log what goes wrong with one part of one node's audit, so that the others still happen."""
    try:
        yield
    except Exception as exc:
        _tell(exc, f"Audit of node {node.name}, {consequence}")


def _tell(error: Exception, what: str) -> None:
    """Log a failure: as what passes by itself, as an error, or as a defect with its way through the code."""
    if isinstance(error, errors.PlacementAPIConnectFailure | errors.HypervisorUnavailable):
        LOG.warning("%s: %s", what, error)
    elif isinstance(error, errors.NovaException | errors.ComputedError):
        LOG.error("%s: %s", what, error)
    else:
        LOG.error("%s", what, exc_info=error)
