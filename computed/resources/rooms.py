"""The room that moves of instances hold beside that of the instances themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from computed import errors
from computed.resources.ledger import Entry, Key, Ledger
from computed.resources.nodes import Node, Nodes
from computed.resources.records import is_volume_backed_by_image
from computed.resources.usage import InstanceState, flavor_usage


class Rooms:
    """The part of the tracker that knows who has arrived and who stays; ledger only, as its releases."""

    _nodes: Nodes

    def expects(self, instance_uuid: str, migration_uuid: str) -> bool:
        """Whether a node of this host holds, or keeps, room for that move."""
        return any((instance_uuid, migration_uuid) in node.ledger.entries() for node in self._nodes)

    def has_moves(self, instance_uuid: str) -> bool:
        """Whether a node of this host holds, or keeps, room for any move of the instance."""
        keys = [key for node in self._nodes for key in node.ledger.entries()]
        return any(key[0] == instance_uuid and key[1] is not None for key in keys)

    def arrived(self, instance: Any, nodename: str, migration: Any) -> None:
        """An instance has moved to here, or changed its size here, and its record says so: its own line has
        its size of now, and the room for the way back is what it had on this node before, if any.

        Nothing before the first audit, which goes by the records."""
        node = self._nodes.get(nodename)
        if node is None:
            return
        ledger = node.ledger
        before = ledger.entries().get((instance.uuid, None))
        _enter(ledger, (instance.uuid, None), _line_now(ledger, instance))
        if before is None:
            ledger.drop(instance.uuid, migration.uuid)
        else:
            _enter(ledger, (instance.uuid, migration.uuid), replace(before, state=None))

    def stays(self, instance: Any, nodename: str) -> None:
        """The moves of an instance that lives here are over: it holds its size of now, and nothing else.

        Nothing before the first audit, which goes by the records."""
        node = self._nodes.get(nodename)
        if node is None:
            return
        ledger = node.ledger
        ledger.drop_matching(instance.uuid, migrations_only=True)
        _enter(ledger, (instance.uuid, None), _line_now(ledger, instance))

    def _node(self, nodename: str) -> Node:
        node = self._nodes.get(nodename)
        if node is None:
            raise errors.ComputeHostNotFound(host=nodename)
        return node


def line_of(instance: Any, flavor: Any, volume_backed: bool | None, state: InstanceState | None) -> Entry:
    """The ledger's line for an instance of the size `flavor`; `volume_backed` None: a guess."""
    if volume_backed is None:
        volume_backed = is_volume_backed_by_image(instance)
    usage = flavor_usage(flavor, volume_backed=volume_backed)
    return Entry(usage, state, flavor_id=flavor.id, volume_backed=volume_backed)


def _line_now(ledger: Ledger, instance: Any) -> Entry:
    known = [entry.volume_backed for key, entry in ledger.entries().items() if key[0] == instance.uuid]
    volume_backed = any(known) if known else None
    return line_of(instance, instance.flavor, volume_backed, InstanceState.of(instance))


def _enter(ledger: Ledger, key: Key, entry: Entry) -> None:
    ticket, _ = ledger.take(key, entry)
    ledger.settle(ticket)
