"""Nodes that the driver no longer has: their records and providers are removed, and only then forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from oslo_log import log as logging

from computed import errors
from computed.resources.nodes import Nodes
from computed.resources.provider_sync import ProviderSync

LOG = logging.getLogger(__name__)


class Orphans:
    """What is still to be removed; a removal that fails is tried again at every audit."""

    def __init__(self, nodes: Nodes, sync: ProviderSync) -> None:
        self._nodes = nodes
        self._sync = sync
        self._records: dict[str, Any] = {}
        self._providers: dict[str, str] = {}

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
        self._providers = {uuid: name for uuid, name in self._providers.items() if uuid not in kept}

    def remove(self, context: Any) -> None:
        """Remove what was noted, records before providers; failures are logged."""
        for uuid, record in list(self._records.items()):
            self._remove_record(context, uuid, record)
        for uuid, name in list(self._providers.items()):
            try:
                self._sync.delete_tree(context, uuid)
            except errors.NovaException as exc:
                LOG.error("The provider of the vanished node %s stays for now: %s", name, exc)
            else:
                del self._providers[uuid]

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
            self._providers[uuid] = name
        del self._records[uuid]
        self._nodes.remove(name)
        self._sync.forget(uuid)
