"""Keeps placement's provider trees in line with what the nodes report, with as few requests as can be."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oslo_log import log as logging

from computed import errors
from computed.clients.placement import PlacementClient, Provider
from computed.resources.provider_config import ProviderConfig
from computed.resources.providers import (
    CUSTOM_PREFIX,
    DISABLED_TRAIT,
    NodeReport,
    Offer,
    ProviderView,
    Record,
    same_inventories,
    wanted_tree,
)

LOG = logging.getLogger(__name__)

ATTEMPTS = 4
"""How often an update is tried while others change the tree (service.json: resource_update_retry)."""


@dataclass(slots=True)
class _Tree:
    """What is known of one node's tree: providers by name, parents first, and when that was verified."""

    views: dict[str, ProviderView]
    verified_at: float


class ProviderSync:
    """The trees of this host's nodes, remembered with their generations.

    Costs nothing while the reports say what placement was last known to have; one request each
    `refresh_seconds()` (0: never) to verify that nobody else changed the tree, more only for what changed.
    Safe for threads: one node is synchronised by one thread at a time.
    """

    def __init__(
        self,
        client: PlacementClient,
        offer: Offer,
        configs: Sequence[ProviderConfig] = (),
        *,
        refresh_seconds: Callable[[], float] = lambda: 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._offer = offer
        self._configs = tuple(configs)
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._trees: dict[str, _Tree] = {}
        self._lock = threading.RLock()
        self._ensured: set[str] = set()
        self._unknown_traits: frozenset[str] = frozenset()

    def sync(self, context: Any, report: NodeReport) -> None:
        """Bring one node's tree in line; creates what is missing.

        Best effort: what fails is an error of `errors.placement`, and the next call begins afresh.
        """
        with self._lock:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    self._sync_once(context, report)
                    return
                except (errors.ResourceProviderUpdateConflict, errors.ResourceProviderNotFound) as exc:
                    self._trees.pop(report.node_uuid, None)
                    if attempt == ATTEMPTS:
                        raise
                    LOG.debug("Reading the providers of %s again: %s", report.nodename, exc)
                except BaseException:
                    # How far the update came is not known.
                    self._trees.pop(report.node_uuid, None)
                    raise

    def set_disabled(self, context: Any, node_uuid: str, disabled: bool) -> None:
        """Set or take COMPUTE_STATUS_DISABLED on a root provider; two requests, one when it is so already.

        Raises what `sync` raises.
        """
        for attempt in range(1, ATTEMPTS + 1):
            traits, generation = self._client.traits(context, node_uuid)
            wanted = traits | {DISABLED_TRAIT} if disabled else traits - {DISABLED_TRAIT}
            if wanted == traits:
                return
            try:
                self._client.put_traits(context, node_uuid, wanted, generation)
                return
            except errors.ResourceProviderUpdateConflict:
                if attempt == ATTEMPTS:
                    raise
            finally:
                # Also when no answer came: what placement has now is not known.
                self.forget(node_uuid)

    def delete_tree(self, context: Any, node_uuid: str) -> None:
        """Delete a node's providers, children first.

        Raises what `sync` raises, and ResourceProviderInUse while anything is allocated there.
        """
        with self._lock:
            self._trees.pop(node_uuid, None)
            for provider in reversed(self._client.providers_in_tree(context, node_uuid)):
                self._client.delete_provider(context, provider.uuid)
                LOG.info("Deleted resource provider %s (%s)", provider.name, provider.uuid)

    def forget(self, node_uuid: str | None = None) -> None:
        """Read the tree of one node, or of all, afresh at the next call."""
        with self._lock:
            if node_uuid is None:
                self._trees.clear()
                self._unknown_traits = frozenset()
            else:
                self._trees.pop(node_uuid, None)

    def absent_configs(self) -> list[ProviderConfig]:
        """Entries of configuration files that name a provider which no known tree has."""
        with self._lock:
            views = [view for tree in self._trees.values() for view in tree.views.values()]
        present = {view.uuid for view in views} | {view.name for view in views}
        return [
            each for each in self._configs if each.identifier not in present and each.identifier[0] != "$"
        ]

    # Below: self._lock is held.

    def _sync_once(self, context: Any, report: NodeReport) -> None:
        tree = self._known_tree(context, report.node_uuid, report.nodename)
        self._delete_vanished(context, tree, report)
        wanted = wanted_tree(report, tree.views, self._offer, self._configs)
        root = tree.views[report.nodename]
        for name in wanted:
            if name not in tree.views:
                made = self._client.create_provider(context, str(uuid.uuid4()), name, root.uuid)
                LOG.info("Created resource provider %s (%s) below %s", name, made.uuid, root.name)
                tree.views[name] = _view(made)
        for name in reversed(wanted):
            self._put_inventories(context, tree, name, wanted[name].inventories)
            self._put_traits(context, tree, name, wanted[name].traits)

    def _known_tree(self, context: Any, node_uuid: str, nodename: str) -> _Tree:
        tree = self._trees.get(node_uuid)
        refresh = self._refresh_seconds()
        if tree is not None and (refresh == 0 or self._clock() - tree.verified_at <= refresh):
            return tree
        known = {} if tree is None else {view.uuid: view for view in tree.views.values()}
        listed = self._client.providers_in_tree(context, node_uuid)
        if not listed:
            listed = [self._client.create_provider(context, node_uuid, nodename)]
            known = {node_uuid: _view(listed[0])} if listed[0].generation == 0 else {}
            LOG.info("Created resource provider %s (%s)", nodename, node_uuid)
        views = [self._verified(context, provider, known.get(provider.uuid)) for provider in listed]
        tree = _Tree({view.name: view for view in views}, self._clock())
        if nodename not in tree.views:
            root = next(view for view in views if view.uuid == node_uuid)
            raise errors.ResourceProviderSyncFailed(
                f"Provider {node_uuid} is called {root.name} in placement, the node {nodename}."
            )
        self._trees[node_uuid] = tree
        return tree

    def _verified(self, context: Any, provider: Provider, known: ProviderView | None) -> ProviderView:
        """The view of a provider: ours while its generation is the same, else read anew."""
        if known is not None and known.generation == provider.generation:
            return known
        inventories, generation = self._client.inventories(context, provider.uuid)
        traits, generation_after = self._client.traits(context, provider.uuid)
        if generation != generation_after:
            raise errors.ResourceProviderUpdateConflict(
                uuid=provider.uuid, generation=generation, error="it changed while it was read"
            )
        return replace(_view(provider), generation=generation, inventories=inventories, traits=traits)

    def _delete_vanished(self, context: Any, tree: _Tree, report: NodeReport) -> None:
        for view in reversed(list(tree.views.values())):
            if report.owns_child(view.name) and view.name not in report.inventories:
                try:
                    self._client.delete_provider(context, view.uuid)
                except errors.ResourceProviderInUse:
                    LOG.error("Provider %s has vanished from the host, but is in use: kept", view.name)
                else:
                    LOG.info("Deleted resource provider %s (%s)", view.name, view.uuid)
                    del tree.views[view.name]

    def _put_inventories(self, context: Any, tree: _Tree, name: str, wanted: Mapping[str, Record]) -> None:
        view = tree.views[name]
        if same_inventories(wanted, view.inventories):
            return
        self._ensure(context, wanted.keys() - view.inventories.keys(), self._client.ensure_resource_class)
        try:
            generation = self._client.put_inventories(context, view.uuid, wanted, view.generation)
        except errors.InventoryInUse as exc:
            LOG.error("Provider %s keeps an inventory that the host no longer has: %s", name, exc)
            wanted = {**view.inventories, **wanted}
            if same_inventories(wanted, view.inventories):
                return
            generation = self._client.put_inventories(context, view.uuid, wanted, view.generation)
        LOG.info("Updated the inventories of provider %s", name)
        tree.views[name] = replace(view, generation=generation, inventories=wanted)

    def _put_traits(self, context: Any, tree: _Tree, name: str, wanted: frozenset[str]) -> None:
        view = tree.views[name]
        wanted -= self._unknown_traits
        if wanted == view.traits:
            return
        self._ensure(context, wanted - view.traits, self._client.ensure_trait)
        try:
            generation = self._client.put_traits(context, view.uuid, wanted, view.generation)
        except errors.TraitRetrievalFailed:
            unknown = wanted - self._client.known_traits(context, wanted)
            LOG.warning("Placement does not know these traits, left out: %s", ", ".join(sorted(unknown)))
            self._unknown_traits |= unknown
            wanted -= unknown
            generation = self._client.put_traits(context, view.uuid, wanted, view.generation)
        LOG.info("Updated the traits of provider %s", name)
        tree.views[name] = replace(view, generation=generation, traits=wanted)

    def _ensure(self, context: Any, names: Iterable[str], ensure: Callable[[Any, str], None]) -> None:
        """Create the custom ones of `names`, which may be new to placement, once a process."""
        for name in sorted(names):
            if name.startswith(CUSTOM_PREFIX) and name not in self._ensured:
                ensure(context, name)
                self._ensured.add(name)


def _view(provider: Provider) -> ProviderView:
    return ProviderView(provider.uuid, provider.name, provider.parent_uuid, provider.generation)
