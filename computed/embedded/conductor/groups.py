"""Remotables of InstanceGroup, keypairs and tags."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope, list_envelope
from computed.embedded.store import Fields

_KIND = "InstanceGroup"


def create(call: ObjectCall) -> None:
    """InstanceGroup.create."""
    call.require_new()
    changes = call.changed()
    changes.setdefault("uuid", str(uuids.uuid4()))
    changes.setdefault("members", [])
    fields = {**complete(_KIND, changes), "members": changes["members"]}
    call.answer(_with_hosts(call, call.records.insert(_KIND, fields)))


def _with_hosts(call: ClassCall, row: Fields) -> Fields:
    """The record without `hosts`, which is loaded apart, and with the policy in both its spellings."""
    fields = {name: value for name, value in row.items() if name != "hosts"}
    fields["policies"] = [row["policy"]] if row.get("policy") else row.get("policies") or []
    return fields


def _one(call: ClassCall, key: Any, **keys: Any) -> Fields:
    row = call.records.first(_KIND, read_deleted=call.read_deleted, **keys)
    if row is None:
        raise errors.InstanceGroupNotFound(group_uuid=key)
    return row


def get_by_uuid(call: ClassCall, uuid: str) -> Envelope:
    """InstanceGroup.get_by_uuid; raises InstanceGroupNotFound."""
    return envelope(_KIND, _with_hosts(call, _one(call, uuid, uuid=uuid)))


def get_by_name(call: ClassCall, name: str) -> Envelope:
    """InstanceGroup.get_by_name; raises InstanceGroupNotFound."""
    return envelope(_KIND, _with_hosts(call, _one(call, name, name=name)))


def get_by_instance_uuid(call: ClassCall, instance_uuid: str) -> Envelope:
    """InstanceGroup.get_by_instance_uuid; raises InstanceGroupNotFound for one that is in no group."""
    for row in call.records.find(_KIND):
        if instance_uuid in (row["members"] or []):
            return envelope(_KIND, _with_hosts(call, row))
    raise errors.InstanceGroupNotFound(group_uuid="")


def add_members(call: ClassCall, group_uuid: str, instance_uuids: list[str]) -> list[str]:
    """InstanceGroup.add_members: all members afterwards."""
    row = _one(call, group_uuid, uuid=group_uuid)
    members = list(dict.fromkeys([*(row["members"] or []), *instance_uuids]))
    call.records.update(_KIND, row, {"members": members})
    return members


def get_hosts(call: ObjectCall, exclude: list[str] | None = None) -> list[str]:
    """InstanceGroup.get_hosts: where the members run, without those in `exclude`."""
    members = set(call.data.get("members") or ()) - set(exclude or ())
    rows = call.records.find("Instance", uuid=members) if members else []
    return sorted({row["host"] for row in rows if row["host"]})


def refresh(call: ObjectCall) -> None:
    """InstanceGroup.refresh."""
    fields = _with_hosts(call, _one(call, call.data["uuid"], uuid=call.data["uuid"]))
    call.answer({name: value for name, value in fields.items() if name in call.data})


def tags_of(call: ClassCall, resource_id: str) -> Envelope:
    """TagList.get_by_resource_id; raises InstanceNotFound."""
    if call.records.first("Instance", uuid=resource_id) is None:
        raise errors.InstanceNotFound(instance_id=resource_id)
    return list_envelope("TagList", "Tag", call.records.find("Tag", resource_id=resource_id))


def keypair_by_name(call: ClassCall, user_id: str, name: str, localonly: bool = False) -> Envelope:
    """KeyPair.get_by_name; raises KeypairNotFound."""
    row = call.records.first("KeyPair", user_id=user_id, name=name)
    if row is None:
        raise errors.KeypairNotFound(user_id=user_id, name=name)
    return envelope("KeyPair", row)
