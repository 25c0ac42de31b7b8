"""Remotables of Service and its list."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope, list_envelope
from computed.embedded.store import Fields, utc_now
from computed.objects.service import COMPUTE_BINARY

_KIND = "Service"


def create(call: ObjectCall) -> None:
    """Service.create; raises ServiceBinaryExists, ServiceTopicExists."""
    call.require_new()
    changes = call.changed()
    changes.setdefault("uuid", str(uuids.uuid4()))
    host = changes.get("host")
    if call.records.first(_KIND, host=host, binary=changes.get("binary")):
        raise errors.ServiceBinaryExists(host=host, binary=changes.get("binary"))
    if call.records.first(_KIND, host=host, topic=changes.get("topic")):
        raise errors.ServiceTopicExists(host=host, topic=changes.get("topic"))
    call.answer(call.records.insert(_KIND, complete(_KIND, changes)))


def save(call: ObjectCall) -> None:
    """Service.save; a higher report count also moves `last_seen_up`. Raises ServiceNotFound."""
    row = _one(call, id=call.data["id"])
    changes = call.changed()
    changes.pop("id", None)
    if changes.get("report_count", 0) > row["report_count"]:
        changes["last_seen_up"] = utc_now()
    call.answer(call.records.update(_KIND, row, changes))


def destroy(call: ObjectCall) -> None:
    """Service.destroy, and the compute nodes of the host with a nova-compute; raises ServiceNotFound."""
    row = _one(call, id=call.data["id"])
    call.records.soft_delete(_KIND, id=row["id"])
    if row["binary"] == COMPUTE_BINARY:
        call.records.soft_delete("ComputeNode", host=row["host"])


def _one(call: ClassCall, **keys: Any) -> Fields:
    row = call.records.first(_KIND, read_deleted=call.read_deleted, **keys)
    if row is None:
        raise errors.ServiceNotFound(service_id=next(iter(keys.values())))
    return row


def _maybe(call: ClassCall, **keys: Any) -> Envelope | None:
    row = call.records.first(_KIND, read_deleted=call.read_deleted, **keys)
    return envelope(_KIND, row) if row else None


def get_by_id(call: ClassCall, service_id: int) -> Envelope:
    """Service.get_by_id; raises ServiceNotFound."""
    return envelope(_KIND, _one(call, id=service_id))


def get_by_uuid(call: ClassCall, service_uuid: str) -> Envelope:
    """Service.get_by_uuid; raises ServiceNotFound."""
    return envelope(_KIND, _one(call, uuid=service_uuid))


def get_by_host_and_binary(call: ClassCall, host: str, binary: str) -> Envelope | None:
    """Service.get_by_host_and_binary; None when there is none."""
    return _maybe(call, host=host, binary=binary)


def get_by_host_and_topic(call: ClassCall, host: str, topic: str) -> Envelope | None:
    """Service.get_by_host_and_topic; None when there is none or it is disabled."""
    found = _maybe(call, host=host, topic=topic)
    return None if found and found["nova_object.data"]["disabled"] else found


def get_by_compute_host(call: ClassCall, host: str, use_slave: bool = False) -> Envelope:
    """Service.get_by_compute_host; raises ComputeHostNotFound."""
    found = _maybe(call, host=host, binary=COMPUTE_BINARY)
    if found is None:
        raise errors.ComputeHostNotFound(host=host)
    return found


def get_minimum_version(call: ClassCall, binary: str, use_slave: bool = False) -> int:
    """Service.get_minimum_version: 0 when no such service is known."""
    return get_minimum_version_multi(call, [binary])


def get_minimum_version_multi(call: ClassCall, binaries: list[str], use_slave: bool = False) -> int:
    """Service.get_minimum_version_multi: over all of the binaries; services forced down do not count."""
    rows = call.records.find(_KIND, binary=list(binaries))
    return min((row["version"] for row in rows if not row["forced_down"]), default=0)


def get_all(call: ClassCall, disabled: bool | None = None, set_zones: bool = False) -> Envelope:
    """ServiceList.get_all."""
    rows = call.records.find(_KIND, read_deleted=call.read_deleted)
    return _list(row for row in rows if disabled is None or row["disabled"] == disabled)


def get_by_binary(call: ClassCall, binary: str, include_disabled: bool = False) -> Envelope:
    """ServiceList.get_by_binary."""
    rows = call.records.find(_KIND, read_deleted=call.read_deleted, binary=binary)
    return _list(row for row in rows if include_disabled or not row["disabled"])


def get_by_host(call: ClassCall, host: str) -> Envelope:
    """ServiceList.get_by_host."""
    return _list(call.records.find(_KIND, read_deleted=call.read_deleted, host=host))


def get_by_topic(call: ClassCall, topic: str) -> Envelope:
    """ServiceList.get_by_topic: the enabled ones."""
    rows = call.records.find(_KIND, read_deleted=call.read_deleted, topic=topic)
    return _list(row for row in rows if not row["disabled"])


def _list(rows: Any) -> Envelope:
    return list_envelope("ServiceList", _KIND, rows)
