"""Remotables of BlockDeviceMapping and its list."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.instance_parts import existing, instance_envelopes
from computed.embedded.conductor.primitives import Envelope, envelope, list_envelope
from computed.embedded.store import DuplicateKey, Fields

_KIND = "BlockDeviceMapping"


def _envelope(call: ClassCall, row: Fields, expected_attrs: list[str] | None) -> Envelope:
    fields = dict(row)
    if expected_attrs and "instance" in expected_attrs:
        instance = existing(call, row["instance_uuid"], read_deleted="yes")
        fields["instance"] = instance_envelopes(call.records, [instance], ())[0]
    return envelope(_KIND, fields)


def create(call: ObjectCall) -> None:
    """BlockDeviceMapping.create; raises ObjectActionError when it has a record or carries its instance."""
    call.answer(_insert(call, _writable(call, "create")))


def _writable(call: ObjectCall, action: str) -> dict[str, Any]:
    if action == "create":
        call.require_new()
    changes = call.changed()
    if "instance" in changes:
        raise call.refuse(action, "instance changed")
    return changes


def _insert(call: ObjectCall, changes: dict[str, Any]) -> Fields:
    changes.setdefault("uuid", str(uuids.uuid4()))
    try:
        return call.records.insert(_KIND, complete(_KIND, changes))
    except DuplicateKey as exc:
        raise errors.DuplicateRecord(target=f"block device mapping {changes['uuid']}") from exc


def update_or_create(call: ObjectCall) -> None:
    """BlockDeviceMapping.update_or_create: found by uuid, else by device name; an instance has one swap."""
    changes = _writable(call, "create")
    row = _find_same(call, changes)
    row = call.records.update(_KIND, row, changes) if row else _insert(call, changes)
    if row["source_type"] == "blank" and row["guest_format"] == "swap":
        _drop_other_swaps(call, row)
    call.answer(row)


def _find_same(call: ObjectCall, changes: dict[str, Any]) -> Fields | None:
    for row in call.records.find(_KIND, instance_uuid=changes["instance_uuid"]):
        if changes.get("uuid") == row["uuid"]:
            return row
        if changes.get("device_name") and changes["device_name"] == row["device_name"]:
            return row
    return None


def _drop_other_swaps(call: ObjectCall, kept: Fields) -> None:
    for row in call.records.find(_KIND, instance_uuid=kept["instance_uuid"]):
        is_swap = row["source_type"] == "blank" and row["guest_format"] == "swap"
        if is_swap and row["id"] != kept["id"]:
            call.records.soft_delete(_KIND, id=row["id"])


def save(call: ObjectCall) -> None:
    """BlockDeviceMapping.save; raises BDMNotFound."""
    changes = _writable(call, "save")
    changes.pop("id", None)
    row = call.records.first(_KIND, id=call.data["id"])
    if row is None:
        raise errors.BDMNotFound(id=call.data["id"])
    call.answer(call.records.update(_KIND, row, changes))


def destroy(call: ObjectCall) -> None:
    """BlockDeviceMapping.destroy."""
    call.require_existing("destroy")
    call.records.soft_delete(_KIND, id=call.data["id"])


def get_by_instance_uuid(call: ClassCall, instance_uuid: str, use_slave: bool = False) -> Envelope:
    """BlockDeviceMappingList.get_by_instance_uuid."""
    rows = call.records.find(_KIND, read_deleted=call.read_deleted, instance_uuid=instance_uuid)
    return list_envelope("BlockDeviceMappingList", _KIND, rows)


def get_by_instance_uuids(call: ClassCall, instance_uuids: list[str], use_slave: bool = False) -> Envelope:
    """BlockDeviceMappingList.get_by_instance_uuids."""
    rows = call.records.find(_KIND, read_deleted=call.read_deleted, instance_uuid=instance_uuids)
    return list_envelope("BlockDeviceMappingList", _KIND, rows)


def list_by_volume(call: ClassCall, volume_id: str, use_slave: bool = False) -> Envelope:
    """BlockDeviceMappingList.get_by_volume; raises VolumeBDMNotFound."""
    return list_envelope("BlockDeviceMappingList", _KIND, _of_volume(call, volume_id))


def get_by_volume(call: ClassCall, volume_id: str, expected_attrs: list[str] | None = None) -> Envelope:
    """BlockDeviceMapping.get_by_volume; raises VolumeBDMNotFound, VolumeBDMIsMultiAttach."""
    rows = _of_volume(call, volume_id)
    if len(rows) > 1:
        raise errors.VolumeBDMIsMultiAttach(volume_id=volume_id)
    return _envelope(call, rows[0], expected_attrs)


def get_by_volume_id(
    call: ClassCall,
    volume_id: str,
    instance_uuid: str | None = None,
    expected_attrs: list[str] | None = None,
) -> Envelope:
    """BlockDeviceMapping.get_by_volume_id; raises VolumeBDMNotFound, InvalidVolume for another instance's."""
    row = _of_volume(call, volume_id)[0]
    if instance_uuid and row["instance_uuid"] != instance_uuid:
        raise errors.InvalidVolume(reason="the volume belongs to another instance")
    return _envelope(call, row, expected_attrs)


def get_by_volume_and_instance(
    call: ClassCall, volume_id: str, instance_uuid: str, expected_attrs: list[str] | None = None
) -> Envelope:
    """BlockDeviceMapping.get_by_volume_and_instance; raises VolumeBDMNotFound."""
    row = call.records.first(
        _KIND, read_deleted=call.read_deleted, volume_id=volume_id, instance_uuid=instance_uuid
    )
    if row is None:
        raise errors.VolumeBDMNotFound(volume_id=volume_id)
    return _envelope(call, row, expected_attrs)


def _of_volume(call: ClassCall, volume_id: str) -> list[Fields]:
    rows = call.records.find(_KIND, read_deleted=call.read_deleted, volume_id=volume_id)
    if not rows:
        raise errors.VolumeBDMNotFound(volume_id=volume_id)
    return rows
