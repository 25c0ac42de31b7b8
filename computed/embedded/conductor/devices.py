"""Remotables of PciDevice and its list."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope, list_envelope

_KIND = "PciDevice"


def save(call: ObjectCall) -> None:
    """PciDevice.save: made or changed by node and address; a removed device is marked as deleted."""
    keys = {"compute_node_id": call.data["compute_node_id"], "address": call.data["address"]}
    row = call.records.first(_KIND, **keys)
    changes = {**call.changed(), **keys}
    status = call.data.get("status")
    if status == "removed":
        call.records.soft_delete(_KIND, **keys)
        call.answer({"status": "deleted"})
    elif status != "deleted":
        changes.pop("id", None)
        if row is None:
            changes.setdefault("uuid", str(uuids.uuid4()))
            call.answer(call.records.insert(_KIND, complete(_KIND, changes)))
        else:
            call.answer(call.records.update(_KIND, row, changes))


def get_by_dev_addr(call: ClassCall, compute_node_id: int, dev_addr: str) -> Envelope:
    """PciDevice.get_by_dev_addr; raises PciDeviceNotFound."""
    row = call.records.first(_KIND, compute_node_id=compute_node_id, address=dev_addr)
    if row is None:
        raise errors.PciDeviceNotFound(node_id=compute_node_id, address=dev_addr)
    return envelope(_KIND, row)


def get_by_dev_id(call: ClassCall, id: int) -> Envelope:
    """PciDevice.get_by_dev_id; raises PciDeviceNotFoundById."""
    row = call.records.first(_KIND, id=id)
    if row is None:
        raise errors.PciDeviceNotFoundById(id=id)
    return envelope(_KIND, row)


def get_by_compute_node(call: ClassCall, node_id: int) -> Envelope:
    """PciDeviceList.get_by_compute_node."""
    return _list(call, compute_node_id=node_id)


def get_by_instance_uuid(call: ClassCall, uuid: str) -> Envelope:
    """PciDeviceList.get_by_instance_uuid: the devices allocated to it."""
    rows = [row for row in call.records.find(_KIND, instance_uuid=uuid) if row["status"] == "allocated"]
    return list_envelope("PciDeviceList", _KIND, rows)


def get_by_parent_address(call: ClassCall, node_id: int, parent_addr: str) -> Envelope:
    """PciDeviceList.get_by_parent_address."""
    rows = call.records.find(_KIND, compute_node_id=node_id)
    return list_envelope("PciDeviceList", _KIND, [row for row in rows if row["parent_addr"] == parent_addr])


def _list(call: ClassCall, **keys: Any) -> Envelope:
    return list_envelope("PciDeviceList", _KIND, call.records.find(_KIND, **keys))
