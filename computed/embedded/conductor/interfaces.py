"""Remotables of VirtualInterface and its list."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope, list_envelope
from computed.embedded.store import Fields

_KIND = "VirtualInterface"


def _tidied(row: Fields) -> Fields:
    """The record as a caller sees it: the port id that makes an address unique is cut off."""
    address = row.get("address")
    return {**row, "address": address.split("/", 1)[0]} if address else row


def _found(call: ClassCall, **keys: Any) -> Envelope | None:
    row = call.records.first(_KIND, read_deleted=call.read_deleted, **keys)
    return envelope(_KIND, _tidied(row)) if row else None


def create(call: ObjectCall) -> None:
    """VirtualInterface.create; raises VirtualInterfaceCreateException when the address is taken."""
    call.require_new()
    changes = call.changed()
    changes.setdefault("uuid", str(uuids.uuid4()))
    if call.records.first(_KIND, address=changes.get("address")):
        raise errors.VirtualInterfaceCreateException()
    call.answer(_tidied(call.records.insert(_KIND, complete(_KIND, changes))))


def save(call: ObjectCall) -> None:
    """VirtualInterface.save; the address cannot change."""
    changes = call.changed()
    if "address" in changes:
        raise call.refuse("save", "address is not mutable")
    row = call.records.first(_KIND, uuid=call.data["uuid"])
    if row is None:
        raise errors.NotFound(f"No virtual interface {call.data['uuid']}.")
    call.answer(_tidied(call.records.update(_KIND, row, changes)))


def destroy(call: ObjectCall) -> None:
    """VirtualInterface.destroy."""
    call.records.soft_delete(_KIND, id=call.data["id"])


def delete_by_instance_uuid(call: ClassCall, instance_uuid: str) -> None:
    """VirtualInterface.delete_by_instance_uuid."""
    call.records.soft_delete(_KIND, instance_uuid=instance_uuid)


def get_by_id(call: ClassCall, vif_id: int) -> Envelope | None:
    """VirtualInterface.get_by_id."""
    return _found(call, id=vif_id)


def get_by_uuid(call: ClassCall, vif_uuid: str) -> Envelope | None:
    """VirtualInterface.get_by_uuid; None when there is none."""
    return _found(call, uuid=vif_uuid)


def get_by_address(call: ClassCall, address: str) -> Envelope | None:
    """VirtualInterface.get_by_address."""
    return _found(call, address=address)


def get_all(call: ClassCall) -> Envelope:
    """VirtualInterfaceList.get_all."""
    rows = call.records.find(_KIND, read_deleted=call.read_deleted)
    return list_envelope("VirtualInterfaceList", _KIND, map(_tidied, rows))


def get_by_instance_uuid(call: ClassCall, instance_uuid: str, use_slave: bool = False) -> Envelope:
    """VirtualInterfaceList.get_by_instance_uuid."""
    rows = call.records.find(_KIND, read_deleted=call.read_deleted, instance_uuid=instance_uuid)
    return list_envelope("VirtualInterfaceList", _KIND, map(_tidied, rows))
