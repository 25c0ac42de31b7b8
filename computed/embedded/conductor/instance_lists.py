"""Remotables of InstanceList: instances by host, by filters, by time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall
from computed.embedded.conductor.instance_parts import existing, instance_list
from computed.embedded.conductor.primitives import Envelope, field_names
from computed.embedded.store import Fields

Attrs = list[str] | None

_EXACT = frozenset(
    {
        "project_id",
        "user_id",
        "image_ref",
        "vm_state",
        "instance_type_id",
        "uuid",
        "host",
        "task_state",
        "locked",
        "cleaned",
    }
)
_BY_KEY_COLUMN = frozenset({"uuid", "host", "vm_state", "task_state", "project_id", "user_id"})


def get_all(call: ClassCall, expected_attrs: Attrs = None) -> Envelope:
    """InstanceList.get_all."""
    rows = call.records.find("Instance", read_deleted=call.read_deleted)
    return instance_list(call.records, rows, expected_attrs)


def get_by_host(
    call: ClassCall, host: str, expected_attrs: Attrs = None, use_slave: bool = False
) -> Envelope:
    """InstanceList.get_by_host."""
    rows = call.records.find("Instance", read_deleted=call.read_deleted, host=host)
    return instance_list(call.records, rows, expected_attrs)


def get_by_host_and_node(call: ClassCall, host: str, node: str, expected_attrs: Attrs = None) -> Envelope:
    """InstanceList.get_by_host_and_node."""
    rows = call.records.find("Instance", read_deleted=call.read_deleted, host=host, node=node)
    return instance_list(call.records, rows, expected_attrs)


def get_by_host_and_not_type(
    call: ClassCall, host: str, type_id: int | None = None, expected_attrs: Attrs = None
) -> Envelope:
    """InstanceList.get_by_host_and_not_type."""
    rows = call.records.find("Instance", read_deleted=call.read_deleted, host=host)
    others = [row for row in rows if row["instance_type_id"] != type_id]
    return instance_list(call.records, others, expected_attrs)


def get_uuids_by_host(call: ClassCall, host: str) -> list[str]:
    """InstanceList.get_uuids_by_host."""
    return [row["uuid"] for row in call.records.find("Instance", host=host)]


def get_uuids_by_host_and_node(call: ClassCall, host: str, node: str) -> list[str]:
    """InstanceList.get_uuids_by_host_and_node."""
    return [row["uuid"] for row in call.records.find("Instance", host=host, node=node)]


def get_uuids_by_hosts(call: ClassCall, hosts: list[str]) -> dict[str, list[str]]:
    """InstanceList.get_uuids_by_hosts."""
    return {host: get_uuids_by_host(call, host) for host in hosts}


def get_hung_in_rebooting(call: ClassCall, reboot_window: int, expected_attrs: Attrs = None) -> Envelope:
    """InstanceList.get_hung_in_rebooting: those in task `rebooting` for `reboot_window` seconds or more."""
    limit = _seconds_ago(reboot_window)
    rows = call.records.find("Instance", task_state="rebooting")
    return instance_list(
        call.records, [row for row in rows if (row["updated_at"] or "") <= limit], expected_attrs
    )


def get_active_by_window(
    call: ClassCall,
    begin: str,
    end: str | None = None,
    project_id: str | None = None,
    host: str | None = None,
    expected_attrs: Attrs = None,
    use_slave: bool = False,
    limit: int | None = None,
    marker: str | None = None,
) -> Envelope:
    """InstanceList._get_active_by_window_joined: instances that lived at any time between begin and end."""
    keys = {name: value for name, value in (("project_id", project_id), ("host", host)) if value}
    rows = [
        row
        for row in call.records.find("Instance", read_deleted="yes", **keys)
        if row["launched_at"]
        and (not row["terminated_at"] or row["terminated_at"] > _second(begin))
        and (end is None or row["launched_at"] < _second(end))
    ]
    rows.sort(key=lambda row: (row["created_at"], row["id"]))
    return instance_list(call.records, _page(call, rows, limit, marker), expected_attrs)


def get_by_filters(
    call: ClassCall,
    filters: Mapping[str, Any],
    sort_key: str = "created_at",
    sort_dir: str = "desc",
    limit: int | None = None,
    marker: str | None = None,
    expected_attrs: Attrs = None,
    use_slave: bool = False,
    sort_keys: list[str] | None = None,
    sort_dirs: list[str] | None = None,
) -> Envelope:
    """InstanceList.get_by_filters; deleted instances come too unless the filter `deleted` says otherwise."""
    left = dict(filters)
    keys = {name: left.pop(name) for name in _BY_KEY_COLUMN & left.keys() if left[name] is not None}
    if not call.context.is_admin:
        owner = "project_id" if call.context.project_id else "user_id"
        keys[owner] = getattr(call.context, owner)
    tests = _tests(left)
    rows = [
        row
        for row in call.records.find("Instance", read_deleted="yes", **keys)
        if all(test(row) for test in tests)
    ]
    directions = list(sort_dirs or [sort_dir] * len(sort_keys or [1]))
    for key, direction in reversed(list(zip(sort_keys or [sort_key], directions, strict=False))):
        if key not in field_names("Instance"):
            raise errors.InvalidSortKey()
        rows.sort(key=_sortable(key), reverse=direction == "desc")
    return instance_list(call.records, _page(call, rows, limit, marker), expected_attrs)


Test = Callable[[Fields], bool]


def _tests(filters: dict[str, Any]) -> list[Test]:
    """What a row must satisfy, from the filters that are no key columns; unknown names are no condition."""
    tests: list[Test] = [_test_deleted(filters)] if "deleted" in filters else []
    filters.pop("soft_deleted", None)
    hidden = bool(filters.pop("hidden", False))
    tests.append(lambda row: bool(row["hidden"]) == hidden)
    for name, value in filters.items():
        if name == "changes-since":
            tests.append(_test_changed(since=_second(value)))
        elif name == "changes-before":
            tests.append(_test_changed(before=_second(value)))
        elif name == "cleaned":
            tests.append(_test_field(name, bool(value)))
        elif name in ("metadata", "system_metadata"):
            tests.append(_test_metadata(name, value))
        elif name in field_names("Instance"):
            tests.append(_test_field(name, value))
    return tests


def _test_changed(since: str = "", before: str = "9") -> Test:
    return lambda row: since <= (row["updated_at"] or row["created_at"]) <= before


def _test_deleted(filters: dict[str, Any]) -> Test:
    if filters.pop("deleted"):
        if filters.get("soft_deleted", True):
            return lambda row: row["deleted"] or row["vm_state"] == "soft-delete"
        return lambda row: bool(row["deleted"])
    if filters.get("soft_deleted", False):
        return lambda row: not row["deleted"]
    return lambda row: not row["deleted"] and row["vm_state"] != "soft-delete"


def _test_metadata(name: str, value: Any) -> Test:
    pairs = [pair for item in (value if isinstance(value, list) else [value]) for pair in item.items()]
    return lambda row: all(row[name].get(key) == wanted for key, wanted in pairs)


def _test_field(name: str, value: Any) -> Test:
    if isinstance(value, list | tuple):
        return lambda row: row.get(name) in value
    if name in _EXACT:
        return lambda row: row.get(name) == value
    pattern = re.compile(str(value))
    return lambda row: row.get(name) is not None and pattern.search(str(row[name])) is not None


def _sortable(key: str) -> Callable[[Fields], tuple[bool, Any]]:
    return lambda row: (row.get(key) is not None, row.get(key))


def _page(call: ClassCall, rows: list[Fields], limit: int | None, marker: str | None) -> list[Fields]:
    if marker is not None:
        try:
            found = existing(call, marker, read_deleted="yes")
        except errors.InstanceNotFound as exc:
            raise errors.MarkerNotFound(marker=marker) from exc
        ids = [row["id"] for row in rows]
        rows = rows[ids.index(found["id"]) + 1 :] if found["id"] in ids else []
    return rows if limit is None else rows[:limit]


def _second(moment: str) -> str:
    """A time in any of the encodings of the wire, as it is kept: to the second, in UTC."""
    parsed = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if parsed.tzinfo:
        parsed = parsed.astimezone(UTC)
    return parsed.strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds_ago(seconds: int) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
