"""Remotables of ComputeNode and its list."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope, list_envelope
from computed.embedded.store import DuplicateKey, Fields

_KIND = "ComputeNode"


def create(call: ObjectCall) -> None:
    """ComputeNode.create; a deleted node of the same uuid comes back, a living one is DuplicateRecord."""
    call.require_new()
    changes = call.changed()
    changes.setdefault("uuid", str(uuids.uuid4()))
    duplicate = errors.DuplicateRecord(
        target=f"compute node {changes.get('hypervisor_hostname')}:{changes['uuid']}"
    )
    same: dict[str, Any] = {name: changes.get(name) for name in ("host", "hypervisor_hostname")}
    if call.records.first(_KIND, **same):
        raise duplicate
    try:
        row = call.records.insert(_KIND, complete(_KIND, changes))
    except DuplicateKey as exc:
        gone = call.records.first(_KIND, read_deleted="only", uuid=changes["uuid"])
        if gone is None:
            raise duplicate from exc
        row = call.records.update(_KIND, gone, {**changes, "deleted": False, "deleted_at": None})
    call.answer(row)


def save(call: ObjectCall, prune_stats: bool = False) -> None:
    """ComputeNode.save; `updated_at` moves even when nothing else does. Raises ComputeHostNotFound."""
    changes = call.changed()
    changes.pop("id", None)
    call.answer(call.records.update(_KIND, _one(call, id=call.data["id"]), changes))


def destroy(call: ObjectCall) -> None:
    """ComputeNode.destroy; raises ComputeHostNotFound, or ObjectActionError when another host owns it now."""
    row = _one(call, id=call.data["id"])
    if call.data.get("host") and row["host"] != call.data["host"]:
        raise call.refuse("destroy", "host changed")
    call.records.soft_delete(_KIND, id=row["id"])


def _one(call: ClassCall, **keys: Any) -> Fields:
    row = call.records.first(_KIND, read_deleted=call.read_deleted, **keys)
    if row is None:
        raise errors.ComputeHostNotFound(host=keys.get("host") or next(iter(keys.values())))
    return row


def get_by_id(call: ClassCall, compute_id: int) -> Envelope:
    """ComputeNode.get_by_id; raises ComputeHostNotFound."""
    return envelope(_KIND, _one(call, id=compute_id))


def get_by_uuid(call: ClassCall, compute_uuid: str) -> Envelope:
    """ComputeNode.get_by_uuid; raises ComputeHostNotFound."""
    return envelope(_KIND, _one(call, uuid=compute_uuid))


def get_by_host_and_nodename(call: ClassCall, host: str, nodename: str) -> Envelope:
    """ComputeNode.get_by_host_and_nodename; raises ComputeHostNotFound."""
    return envelope(_KIND, _one(call, host=host, hypervisor_hostname=nodename))


def get_by_nodename(call: ClassCall, hypervisor_hostname: str) -> Envelope:
    """ComputeNode.get_by_nodename; raises ComputeHostNotFound."""
    return envelope(_KIND, _one(call, hypervisor_hostname=hypervisor_hostname))


def get_first_by_host(call: ClassCall, host: str, use_slave: bool = False) -> Envelope:
    """ComputeNode.get_first_node_by_host_for_old_compat; raises ComputeHostNotFound."""
    return envelope(_KIND, _one(call, host=host))


def get_all(call: ClassCall) -> Envelope:
    """ComputeNodeList.get_all."""
    return list_envelope("ComputeNodeList", _KIND, call.records.find(_KIND, read_deleted=call.read_deleted))


def get_all_by_host(call: ClassCall, host: str, use_slave: bool = False) -> Envelope:
    """ComputeNodeList.get_all_by_host; raises ComputeHostNotFound rather than give an empty list."""
    rows = call.records.find(_KIND, read_deleted=call.read_deleted, host=host)
    if not rows:
        raise errors.ComputeHostNotFound(host=host)
    return list_envelope("ComputeNodeList", _KIND, rows)


def get_all_by_uuids(call: ClassCall, compute_uuids: list[str]) -> Envelope:
    """ComputeNodeList.get_all_by_uuids: those that exist."""
    rows = call.records.find(_KIND, read_deleted=call.read_deleted, uuid=compute_uuids)
    return list_envelope("ComputeNodeList", _KIND, rows)


def get_by_hypervisor(call: ClassCall, hypervisor_match: str) -> Envelope:
    """ComputeNodeList.get_by_hypervisor: nodes whose name contains the text."""
    rows = [
        row
        for row in call.records.find(_KIND, read_deleted=call.read_deleted)
        if hypervisor_match in (row["hypervisor_hostname"] or "")
    ]
    return list_envelope("ComputeNodeList", _KIND, rows)
