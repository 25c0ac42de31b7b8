"""Remotables about the shape of the cloud: its one cell, and quotas, of which it has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall
from computed.embedded.conductor.primitives import Envelope, envelope

CELL_UUID = "5ce11000-0000-4000-8000-000000000001"
"""The one cell; a constant, so that selections and mappings agree without a record."""


def _cell() -> Envelope:
    fields: dict[str, Any] = {
        "id": 1,
        "uuid": CELL_UUID,
        "name": "alone",
        "transport_url": "fake://",
        "database_connection": "sqlite://",
        "disabled": False,
        "created_at": None,
        "updated_at": None,
    }
    return envelope("CellMapping", fields)


def cell_by_uuid(call: ClassCall, uuid: str) -> Envelope:
    """CellMapping.get_by_uuid; raises CellMappingNotFound."""
    if uuid != CELL_UUID:
        raise errors.CellMappingNotFound(uuid=uuid)
    return _cell()


def mapping_of_instance(call: ClassCall, instance_uuid: str) -> Envelope:
    """InstanceMapping.get_by_instance_uuid; raises InstanceMappingNotFound."""
    row = call.records.first("Instance", read_deleted="yes", uuid=instance_uuid)
    if row is None:
        raise errors.InstanceMappingNotFound(uuid=instance_uuid)
    fields = {name: row[name] for name in ("id", "project_id", "user_id", "created_at", "updated_at")}
    return envelope(
        "InstanceMapping",
        {
            **fields,
            "instance_uuid": instance_uuid,
            "cell_mapping": _cell(),
            "queued_for_delete": bool(row["deleted"]),
        },
    )


def check_deltas(call: ClassCall, deltas: Mapping[str, int], *counted: Any, **named: Any) -> None:
    """Quotas.check_deltas: a one-host cloud has no quotas."""


def count(call: ClassCall, resource: str, *counted: Any, **named: Any) -> int:
    """Quotas.count: nothing is counted."""
    return 0


def reserve_nothing(call: ObjectCall, *counted: Any, **named: Any) -> None:
    """Quotas.reserve, commit and rollback, and what else may be done to no quotas."""
