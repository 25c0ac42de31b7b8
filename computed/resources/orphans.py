"""Nodes that the driver no longer has: their records and providers are removed, and only then forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from oslo_log import log as logging

from computed import errors, objects
from computed.clients.placement import PlacementClient
from computed.resources.nodes import Nodes
from computed.resources.provider_sync import ProviderSync
from computed.resources.records import Place
from computed.states import VmState

LOG = logging.getLogger(__name__)

TRY_AGAIN_SECONDS = 300.0
"""A provider that is in use, by a move that nobody has ended, is not tried again for so long."""


@dataclass(frozen=True, slots=True)
class _Provider:
    """The provider of a node that was at `place`; `not_before` counts only once it was found in use."""

    place: Place
    not_before: float | None = None


class Orphans:
    """What is still to be removed; a removal that fails is tried again at every audit."""

    def __init__(
        self,
        nodes: Nodes,
        sync: ProviderSync,
        placement: PlacementClient,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nodes = nodes
        self._sync = sync
        self._placement = placement
        self._clock = clock
        self._records: dict[str, Any] = {}
        self._providers: dict[str, _Provider] = {}

    def note(self, present: Mapping[str, str], records: Iterable[Any]) -> None:
        """Take in those of `records` and of the known nodes that are not `present` (name → uuid).

        Call this only with a complete answer of the driver. A record with the uuid of a present node is
        never an orphan, whatever its name: that would be a renamed host.
        """
        candidates = {record.uuid: record for record in records}
        candidates |= self._records | {node.uuid: node.record for node in self._nodes}
        kept = set(present.values())
        self._records = {
            uuid: record
            for uuid, record in candidates.items()
            if record.hypervisor_hostname not in present and uuid not in kept
        }
        self._providers = {uuid: each for uuid, each in self._providers.items() if uuid not in kept}

    def remove(self, context: Any) -> None:
        """Remove what was noted, records before providers; failures are logged."""
        for uuid, record in list(self._records.items()):
            self._remove_record(context, uuid, record)
        now = self._clock()
        for uuid, provider in list(self._providers.items()):
            if provider.not_before is None or now >= provider.not_before:
                self._remove_provider(context, uuid, provider)

    def _remove_provider(self, context: Any, uuid: str, provider: _Provider) -> None:
        name = provider.place.nodename
        try:
            self._give_back(context, uuid, provider.place)
            self._sync.delete_tree(context, uuid)
        except errors.ResourceProviderInUse as exc:
            if provider.not_before is None:
                LOG.warning("The provider of the vanished node %s is kept while it is in use: %s", name, exc)
            self._providers[uuid] = replace(provider, not_before=self._clock() + TRY_AGAIN_SECONDS)
        except (errors.NovaException, errors.ComputedError) as exc:
            LOG.error("The provider of the vanished node %s stays for now: %s", name, exc)
        else:
            del self._providers[uuid]

    def _give_back(self, context: Any, uuid: str, place: Place) -> None:
        """Take from the servers that need it no more what they hold of a vanished node's tree.

        What they hold elsewhere stays: that is where they live, or where somebody moves them to.
        """
        holders = {
            holder
            for provider in self._placement.providers_in_tree(context, uuid)
            for holder in self._placement.provider_allocations(context, provider.uuid).consumers
        }
        for holder in _in_no_need(context, place, holders) if holders else ():
            LOG.info("Giving back what %s holds of the vanished node %s", holder, place.nodename)
            self._placement.remove_tree_from_allocations(context, holder, uuid)

    def _remove_record(self, context: Any, uuid: str, record: Any) -> None:
        name = record.hypervisor_hostname
        LOG.warning("The driver no longer has node %s: deleting its record %s", name, uuid)
        record._context = context
        try:
            record.destroy()
        except errors.ObjectActionError as exc:
            # Its provider is not ours to delete either.
            LOG.info("The record of node %s belongs to another host by now: %s", name, exc)
        except (errors.NovaException, errors.ComputedError) as exc:
            LOG.error("The record of the vanished node %s stays for now: %s", name, exc)
            return
        else:
            self._providers[uuid] = _Provider(Place(record.host, name))
        del self._records[uuid]
        self._nodes.remove(name)
        self._sync.forget(uuid)


def _in_no_need(context: Any, place: Place, holders: Iterable[str]) -> list[str]:
    """Those of `holders` that have no use for a node that was at `place`: who lived there, is deleted, or is
    at rest elsewhere, as after an evacuation. Not who moves, nor the moves themselves; one call."""
    anyone = context.elevated(read_deleted="yes")
    listed = objects.InstanceList.get_by_filters(anyone, {"uuid": sorted(holders)}, expected_attrs=[])
    return [
        instance.uuid
        for instance in listed
        if instance.deleted
        or (instance.host, instance.node) == (place.host, place.nodename)
        or (instance.host and instance.task_state is None and instance.vm_state != VmState.RESIZED)
    ]
