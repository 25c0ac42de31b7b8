"""The resource tracker: what this host has, who holds it, and who is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from oslo_log import log as logging

from computed import errors, objects
from computed.clients.placement import PlacementClient
from computed.resources import claims, provider_config
from computed.resources.audit import Audit, AuditParts
from computed.resources.claims import Claim, ClaimRequest, Limits, NumaFit
from computed.resources.monitors import monitor_of
from computed.resources.nodes import Nodes
from computed.resources.provider_sync import ProviderSync
from computed.resources.providers import Offer
from computed.resources.records import RecordReader
from computed.resources.rooms import Rooms, line_of
from computed.resources.usage import InstanceState
from computed.virt.port import Driver

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

MakeLock = Callable[[], AbstractContextManager[Any]]


class ResourceTracker(Rooms):
    """Claims, releases and the audit of one host's nodes.

    Claims and releases are arithmetic on a ledger in memory; no lock of theirs is ever held during I/O. The
    caller saves the instance and then calls `publish`, which saves the compute node record. `fit_numa` is
    the NUMA arithmetic of a driver whose nodes have a topology; without it instances that ask for one are
    refused.
    """

    def __init__(
        self,
        host: str,
        driver: Driver,
        placement: PlacementClient,
        conf: cfg.ConfigOpts,
        *,
        fit_numa: NumaFit | None = None,
        make_lock: MakeLock = threading.Lock,
    ) -> None:
        """Reads the provider configuration files; raises ProviderConfigException for a wrong one, ConfigError
        for a monitor that is not there."""
        configs = provider_config.load(conf.compute.provider_config_location)
        offer = Offer.from_conf(conf)
        self._host = host
        self._fit_numa = fit_numa
        self._nodes = Nodes()
        self._sync = ProviderSync(
            placement,
            offer,
            configs,
            refresh_seconds=lambda: conf.compute.resource_provider_association_refresh,
        )
        parts = AuditParts(host, conf.my_ip, driver, placement, self._sync, self._nodes, offer, make_lock)
        self._reader = RecordReader(host, with_numa=fit_numa is not None)
        self._audit = Audit(parts, self._reader)
        self._monitor = monitor_of(conf, driver)
        self.on_metrics: Callable[[Any, str, list[Any]], None] = lambda context, nodename, metrics: None
        """Told what an audit has measured of a node, for [DEFAULT]compute_monitors."""
        self._auditing = threading.Lock()
        self._service: Any = None

    # What there is

    def use_service(self, service: Any) -> None:
        """Take the host's `objects.Service`: whose nodes they are, and whether it is disabled.

        Give the very object that the heartbeat saves: every save brings it up to date. Without one the
        first audit reads the record, and a change of `disabled` is then only seen by `set_disabled`.
        """
        self._service = service

    def nodenames(self) -> frozenset[str]:
        """The names of the nodes that an audit has found."""
        return self._nodes.names()

    def compute_node(self, nodename: str) -> Any:
        """The `objects.ComputeNode` of a node; raises ComputeHostNotFound."""
        return self._node(nodename).record

    def update_available_resource(self, context: Any, *, startup: bool = False) -> None:
        """The audit of all nodes; a second caller waits for the first.

        Failures are logged and made good by the next audit; raises InvalidConfiguration and its like
        at `startup`, also when the records of this host's nodes contradict what they are called or who they
        are.
        """
        with self._auditing:
            if self._service is None:
                self._service = _service_of(context, self._host)
            metrics = self._monitor.measure() if self._monitor is not None else []
            self._audit.run(context, self._service, startup=startup, metrics=metrics)
        for nodename in self.nodenames() if metrics else ():
            self.on_metrics(context, nodename, metrics)

    def publish(self, context: Any, nodename: str) -> None:
        """Save the compute node record if the ledger has changed since it was last saved; one call at most.

        Never raises: whoever holds a place on the node is not to suffer for its statistics, which the next
        audit publishes.
        """
        node = self._nodes.get(nodename)
        if node is None:
            LOG.debug("Node %s is not known, so there is nothing to publish", nodename)
            return
        try:
            node.publish(context.elevated())
        except (errors.NovaException, errors.ComputedError) as exc:
            LOG.warning("The record of node %s is published by the next audit: %s", nodename, exc)

    def set_disabled(self, context: Any, disabled: bool) -> None:
        """The service was disabled or enabled: show it on the nodes' providers (COMPUTE_STATUS_DISABLED).

        Two requests a node at most. Never raises: what cannot be told of one node does not keep the others
        from being told, and the next audit sets it right.
        """
        if self._service is not None:
            self._service.disabled = disabled
            self._service.obj_reset_changes(["disabled"])
        for node in self._nodes:
            try:
                self._sync.set_disabled(context, node.uuid, disabled)
            except Exception as exc:
                LOG.warning("Whether node %s is disabled is told by the next audit: %s", node.name, exc)

    def reset(self) -> None:
        """Read everything that is remembered of placement and the records anew at the next audit (SIGHUP)."""
        self._sync.forget()
        self._reader.forget()

    # Claims

    def instance_claim(
        self,
        instance: Any,
        nodename: str,
        allocations: Mapping[str, Any] | None = None,
        limits: Any = None,
        *,
        volume_backed: bool | None = None,
    ) -> Claim:
        """Hold a place for an instance that is to be built here.

        `allocations` (provider uuid → resources, as placement gives them) are for devices that are handed
        out one by one; none is yet. `limits`: `objects.SchedulerLimits`, a mapping with its keys, or None.
        `volume_backed`: whether the root disk is a volume; None guesses from the image. Raises
        ComputeResourcesUnavailable when it does not fit or the node is not known. Save the stamped instance
        inside the claim's block.
        """
        entry = line_of(instance, instance.flavor, volume_backed, InstanceState.of(instance))
        return self._claim(nodename, ClaimRequest(instance, instance.flavor, entry, Limits.of(limits)))

    def rebuild_claim(
        self,
        instance: Any,
        nodename: str,
        limits: Any = None,
        *,
        migration: Any = None,
    ) -> Claim:
        """Hold a place for an instance that is evacuated to here; see `instance_claim`."""
        return self._move_claim(instance, instance.flavor, nodename, migration, limits)

    def resize_claim(
        self,
        instance: Any,
        flavor: Any,
        nodename: str,
        migration: Any,
        limits: Any = None,
    ) -> Claim:
        """Hold a place of size `flavor` for an instance that is resized or moved to here, also on this very
        node: then beside its present one. Save the stamped migration inside the claim's block."""
        return self._move_claim(instance, flavor, nodename, migration, limits)

    def live_migration_claim(
        self,
        instance: Any,
        nodename: str,
        migration: Any,
        limits: Any = None,
    ) -> Claim:
        """Hold a place for an instance that comes here running; see `resize_claim`."""
        return self._move_claim(instance, instance.flavor, nodename, migration, limits)

    # Releases: ledger only; `publish` tells the others.

    def abort_instance_claim(self, instance: Any, nodename: str) -> None:
        """Give up the place of an instance that was to be built here; harmless when it has none."""
        self._node(nodename).ledger.drop(instance.uuid)

    def drop_move_claim(self, instance: Any, nodename: str, migration: Any = None) -> None:
        """Give up the place that a node holds because of a move: where it went when that failed or was
        reverted, where it came from when it is confirmed. Without `migration` those of all its moves.

        Also forgets the instance itself if it lives elsewhere by now.
        """
        ledger = self._node(nodename).ledger
        if migration is None:
            ledger.drop_matching(instance.uuid, migrations_only=True)
        else:
            ledger.drop(instance.uuid, migration.uuid)
        if (instance.host, instance.node) != (self._host, nodename):
            ledger.drop(instance.uuid)

    def settle_move(self, instance: Any, claim: Claim) -> None:
        """An instance that was moving here lives here: its place is its own and no longer its migration's.

        Its record must name this host by now.
        """
        if claim.migration is None:
            claim.settle()
            return
        ledger = self._node(claim.node.nodename).ledger
        entry = replace(claim.entry, state=InstanceState.of(instance), flavor_id=instance.flavor.id)
        ticket, _ = ledger.take((instance.uuid, None), entry)
        ledger.settle(ticket)
        claim.abort()

    def arrive(self, instance: Any, nodename: str) -> None:
        """An instance for which a move held room lives here from now on: the room is its own."""
        ledger = self._node(nodename).ledger
        held = [entry for key, entry in ledger.entries().items() if key[0] == instance.uuid and key[1]]
        state = InstanceState.of(instance)
        entry = replace(held[0], state=state) if held else line_of(instance, instance.flavor, None, state)
        ledger.settle(ledger.take((instance.uuid, None), entry)[0])
        ledger.drop_matching(instance.uuid, migrations_only=True)

    def release(self, instance: Any) -> None:
        """An instance has left this host for good (deleted, shelved, in error before it was here)."""
        for node in self._nodes:
            node.ledger.drop_matching(instance.uuid)

    # What schedulers weigh

    def observe(self, instance: Any) -> None:
        """Note the states of an instance that lives here, for the node's workload numbers."""
        for node in self._nodes:
            node.ledger.observe(instance.uuid, InstanceState.of(instance))

    def build_failed(self, nodename: str) -> None:
        """Count a build that failed on a node; schedulers may keep away from it."""
        node = self._nodes.get(nodename)
        if node is not None:
            node.failed_builds += 1

    def build_succeeded(self, nodename: str) -> None:
        """Forget the failed builds of a node: it can build."""
        node = self._nodes.get(nodename)
        if node is not None:
            node.failed_builds = 0

    def _move_claim(self, instance: Any, flavor: Any, nodename: str, migration: Any, limits: Any) -> Claim:
        # Without a migration record the place is the instance's own, as if it was built here.
        state = InstanceState.of(instance) if migration is None else None
        entry = line_of(instance, flavor, None, state)
        return self._claim(nodename, ClaimRequest(instance, flavor, entry, Limits.of(limits), migration))

    def _claim(self, nodename: str, request: ClaimRequest) -> Claim:
        node = self._nodes.get(nodename)
        if node is None:
            raise errors.ComputeResourcesUnavailable(reason=f"node {nodename} is not known on this host")
        instance = request.instance
        if request.flavor is instance.flavor and instance.obj_attr_is_set("numa_topology"):
            request = replace(request, numa_topology=instance.numa_topology)
        claim = claims.take(node.ledger, node.identity, request, self._fit_numa)
        LOG.debug("Instance %s holds %s on node %s", instance.uuid, request.entry.usage, nodename)
        return claim


def _service_of(context: Any, host: str) -> Any:
    try:
        return objects.Service.get_by_compute_host(context, host)
    except errors.NotFound:
        LOG.warning("There is no service record for host %s yet", host)
        return None
