"""Remotables of Migration and its list."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope, list_envelope
from computed.embedded.store import Fields

_KIND = "Migration"
_FINISHED = frozenset({"confirmed", "reverted", "failed", "completed", "cancelled", "done"})
_LIVE_UNDER_WAY = frozenset({"queued", "preparing", "running", "post-migrating"})


def create(call: ObjectCall) -> None:
    """Migration.create; raises ObjectActionError without a type, or with a node and no compute id."""
    call.require_new()
    changes = call.changed()
    if "migration_type" not in changes:
        raise call.refuse("create", "it has no migration_type")
    if "dest_node" in changes and "dest_compute_id" not in changes:
        raise call.refuse("create", "dest_node is set without dest_compute_id")
    changes.setdefault("uuid", str(uuids.uuid4()))
    changes.setdefault("user_id", call.context.user_id)
    changes.setdefault("project_id", call.context.project_id)
    call.answer(call.records.insert(_KIND, complete(_KIND, changes)))


def save(call: ObjectCall) -> None:
    """Migration.save; raises MigrationNotFound."""
    changes = call.changed()
    changes.pop("id", None)
    call.answer(call.records.update(_KIND, _by_id(call, call.data["id"]), changes))


def _by_id(call: ClassCall, migration_id: int) -> Fields:
    row = call.records.first(_KIND, read_deleted="yes", id=migration_id)
    if row is None:
        raise errors.MigrationNotFound(migration_id=migration_id)
    return row


def get_by_id(call: ClassCall, migration_id: int) -> Envelope:
    """Migration.get_by_id; raises MigrationNotFound."""
    return envelope(_KIND, _by_id(call, migration_id))


def get_by_uuid(call: ClassCall, migration_uuid: str) -> Envelope:
    """Migration.get_by_uuid; raises MigrationNotFound."""
    row = call.records.first(_KIND, read_deleted="yes", uuid=migration_uuid)
    if row is None:
        raise errors.MigrationNotFound(migration_id=migration_uuid)
    return envelope(_KIND, row)


def get_by_id_and_instance(call: ClassCall, migration_id: int, instance_uuid: str) -> Envelope:
    """Migration.get_by_id_and_instance; raises MigrationNotFoundForInstance."""
    row = call.records.first(_KIND, id=migration_id, instance_uuid=instance_uuid)
    if row is None:
        raise errors.MigrationNotFoundForInstance(migration_id=migration_id, instance_id=instance_uuid)
    return envelope(_KIND, row)


def get_by_instance_and_status(call: ClassCall, instance_uuid: str, status: str) -> Envelope:
    """Migration.get_by_instance_and_status; raises MigrationNotFoundByStatus."""
    row = call.records.first(_KIND, read_deleted="yes", instance_uuid=instance_uuid, status=status)
    if row is None:
        raise errors.MigrationNotFoundByStatus(instance_id=instance_uuid, status=status)
    return envelope(_KIND, row)


def get_unconfirmed_by_dest_compute(
    call: ClassCall, confirm_window: int, dest_compute: str, use_slave: bool = False
) -> Envelope:
    """MigrationList.get_unconfirmed_by_dest_compute: finished `confirm_window` seconds ago or earlier."""
    limit = (datetime.now(UTC) - timedelta(seconds=confirm_window)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = call.records.find(_KIND, read_deleted="yes", status="finished", dest_compute=dest_compute)
    return _list(row for row in rows if row["updated_at"] and row["updated_at"] <= limit)


def get_in_progress_by_host_and_node(call: ClassCall, host: str, node: str) -> Envelope:
    """MigrationList.get_in_progress_by_host_and_node."""
    return _list(_touching(call, host, node, _FINISHED | {"error"}))


def get_in_progress_and_error(call: ClassCall, host: str, node: str) -> Envelope:
    """MigrationList.get_in_progress_and_error."""
    return _list(_touching(call, host, node, _FINISHED))


def _touching(call: ClassCall, host: str, node: str, excluded: Iterable[str]) -> list[Fields]:
    """Migrations from or to a node whose status is none of `excluded`."""
    rows = {}
    for end in ("source", "dest"):
        for row in call.records.find(_KIND, **{f"{end}_compute": host}):
            if row[f"{end}_node"] == node:
                rows[row["id"]] = row
    return [rows[key] for key in sorted(rows) if rows[key]["status"] not in excluded]


def get_in_progress_by_instance(
    call: ClassCall, instance_uuid: str, migration_type: str | None = None
) -> Envelope:
    """MigrationList.get_in_progress_by_instance."""
    rows = call.records.find(_KIND, instance_uuid=instance_uuid, status=_LIVE_UNDER_WAY)
    return _list(row for row in rows if migration_type in (None, row["migration_type"]))


def get_by_filters(
    call: ClassCall,
    filters: Mapping[str, Any],
    sort_keys: list[str] | None = None,
    sort_dirs: list[str] | None = None,
    limit: int | None = None,
    marker: str | None = None,
) -> Envelope:
    """MigrationList.get_by_filters; unknown filters are no condition.

    Only uuid and status may be lists: stock's conductor fails on any other, and so does this one.
    """
    for name, value in filters.items():
        if isinstance(value, list | tuple) and name not in ("uuid", "status"):
            raise errors.InternalError(err=f"MigrationList.get_by_filters: {name}={value!r} is no one value")
    rows = [row for row in call.records.find(_KIND, read_deleted=call.read_deleted) if _matches(row, filters)]
    if sort_keys or limit or marker:
        for key, direction in reversed(list(zip(sort_keys or ["id"], sort_dirs or ["desc"], strict=False))):
            rows.sort(key=lambda row: (row.get(key) is not None, row.get(key)), reverse=direction == "desc")
    if marker is not None:
        known = [row["uuid"] for row in rows]
        if marker not in known:
            raise errors.MarkerNotFound(marker=marker)
        rows = rows[known.index(marker) + 1 :]
    return _list(rows[:limit])


_EQUAL = frozenset({"uuid", "status", "migration_type", "hidden", "instance_uuid", "user_id", "project_id"})


def _matches(row: Fields, filters: Mapping[str, Any]) -> bool:
    for name, value in filters.items():
        accepted = list(value) if isinstance(value, list | tuple) else [value]
        if name in _EQUAL and row[name] not in accepted:
            return False
        if name == "host" and not {row["source_compute"], row["dest_compute"]} & set(accepted):
            return False
        if name == "source_compute" and "host" not in filters and row["source_compute"] not in accepted:
            return False
        if name == "node" and not {row["source_node"], row["dest_node"]} & set(accepted):
            return False
    return True


def _list(rows: Iterable[Fields]) -> Envelope:
    return list_envelope("MigrationList", _KIND, rows)
