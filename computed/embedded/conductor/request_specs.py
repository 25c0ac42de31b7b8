"""Remotables of RequestSpec: what was asked of the scheduler for an instance."""

from __future__ import annotations

from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall
from computed.embedded.conductor.primitives import Envelope, as_saved, envelope
from computed.embedded.store import Fields

_KIND = "RequestSpec"
_OF_ONE_REQUEST = frozenset({"retry", "requested_destination", "requested_resources", "ignore_hosts"})
"""Fields that belong to one scheduling request and are null in the record."""
_NEVER_KEPT = frozenset({"network_metadata", "requested_networks", "request_level_params"})


def _kept(call: ObjectCall) -> dict[str, Any]:
    fields = {name: as_saved(value) for name, value in call.data.items() if name not in _NEVER_KEPT}
    return {**fields, **dict.fromkeys(_OF_ONE_REQUEST & fields.keys())}


def create(call: ObjectCall) -> None:
    """RequestSpec.create; raises ObjectActionError."""
    call.require_new()
    if not call.changes:
        raise call.refuse("create", "no fields are set")
    row = call.records.insert(_KIND, _kept(call))
    call.answer({"id": row["id"]})


def save(call: ObjectCall) -> None:
    """RequestSpec.save; raises RequestSpecNotFound."""
    row = _one(call, call.data["instance_uuid"])
    if call.changes:
        call.records.update(_KIND, row, _kept(call))


def destroy(call: ObjectCall) -> None:
    """RequestSpec.destroy; raises RequestSpecNotFound."""
    _one(call, call.data["instance_uuid"])
    call.records.purge(_KIND, instance_uuid=call.data["instance_uuid"])


def _one(call: ClassCall, instance_uuid: str) -> Fields:
    row = call.records.first(_KIND, instance_uuid=instance_uuid)
    if row is None:
        raise errors.RequestSpecNotFound(instance_uuid=instance_uuid)
    return row


def get_by_instance_uuid(call: ClassCall, instance_uuid: str) -> Envelope:
    """RequestSpec.get_by_instance_uuid; raises RequestSpecNotFound."""
    return envelope(_KIND, _one(call, instance_uuid))
