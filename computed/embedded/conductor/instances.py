"""Remotables of one Instance and of its info cache."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Mapping
from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.instance_parts import (
    ELSEWHERE,
    IN_ROW,
    OPTIONAL,
    existing,
    instance_envelopes,
    instance_fields,
)
from computed.embedded.conductor.primitives import CHANGES, DATA, Envelope, as_saved, envelope
from computed.embedded.store import DuplicateKey, Fields, utc_now

_READ_ONLY = frozenset({"id", "uuid", "created_at", "updated_at", "deleted", "deleted_at"})
_OWN_COLUMNS_OF_PARTS = frozenset({"metadata", "system_metadata"})
_CASCADE = (
    "InstanceInfoCache",
    "InstanceFault",
    "BlockDeviceMapping",
    "Migration",
    "VirtualInterface",
)


def get_by_uuid(
    call: ClassCall, uuid: str, expected_attrs: list[str] | None = None, use_slave: bool = False
) -> Envelope:
    """Instance.get_by_uuid; the info cache comes with it when nothing is asked for."""
    attrs = ["info_cache"] if expected_attrs is None else expected_attrs
    return instance_envelopes(call.records, [existing(call, uuid)], attrs)[0]


def get_by_id(call: ClassCall, inst_id: int, expected_attrs: list[str] | None = None) -> Envelope:
    """Instance.get_by_id."""
    row = call.records.first("Instance", read_deleted=call.read_deleted, id=inst_id)
    if row is None:
        raise errors.InstanceNotFound(instance_id=inst_id)
    attrs = ["info_cache"] if expected_attrs is None else expected_attrs
    return instance_envelopes(call.records, [row], attrs)[0]


def create(call: ObjectCall) -> None:
    """Instance.create: the record and its empty info cache; raises InstanceExists."""
    call.require_new()
    changes = call.changed()
    _require_node_with_id(changes, "create")
    fields = {name: value for name, value in changes.items() if name not in ELSEWHERE}
    fields.setdefault("uuid", str(uuids.uuid4()))
    try:
        row = call.records.insert("Instance", complete("Instance", fields))
    except DuplicateKey as exc:
        raise errors.InstanceExists(name=fields["uuid"]) from exc
    cache = call.data.get("info_cache") or {}
    _save_info_cache(call, row["uuid"], cache.get(DATA, {}).get("network_info") or "[]")
    attrs = (OPTIONAL & set(changes)) | IN_ROW | {"info_cache", "ec2_ids"}
    call.answer(instance_fields(call.records, [row], attrs)[0])


def save(
    call: ObjectCall,
    expected_vm_state: Any = None,
    expected_task_state: Any = None,
    admin_state_reset: bool = False,
) -> None:
    """Instance.save: the changed fields, its info cache among them, if the states are the expected ones.

    Raises InstanceNotFound, UnexpectedTaskStateError, UnexpectedDeletingTaskStateError,
    InstanceUpdateConflict (vm_state) and ObjectActionError (node without compute_id). The expectations are
    looked at only when a plain field changes, as in nova's conductor.
    """
    changes = call.changed()
    _require_node_with_id(changes, "save")
    row = existing(call, call.data["uuid"])
    if any(_is_plain(name) for name in changes):
        _require_states(row, {"vm_state": expected_vm_state, "task_state": expected_task_state})
    cache = call.data.get("info_cache")
    if cache and "network_info" in cache.get(CHANGES, ()):
        _save_info_cache(call, row["uuid"], cache[DATA]["network_info"])
    written = {
        name: value for name, value in changes.items() if name not in ELSEWHERE and name not in _READ_ONLY
    }
    if written:
        row = call.records.update("Instance", row, written)
    elif "info_cache" not in changes:
        return
    call.answer(instance_fields(call.records, [row], _parts_to_return(call))[0])


def _is_plain(field: str) -> bool:
    """Whether a field is a column of nova's instances table, or one of the two that are written with them."""
    return field not in OPTIONAL or field in _OWN_COLUMNS_OF_PARTS


def _parts_to_return(call: ObjectCall) -> set[str]:
    """Optional fields that may have changed and that the caller holds; devices are loaded apart."""
    changeable = call.changes | {"metadata", "system_metadata", "info_cache"}
    return (set(changeable) & OPTIONAL & set(call.data)) - {"pci_devices"}


def _require_node_with_id(changes: Mapping[str, Any], action: str) -> None:
    if "node" in changes and "compute_id" not in changes:
        raise errors.ObjectActionError(action=action, reason="node is changed without compute_id")


def _require_states(row: Fields, expectations: Mapping[str, Any]) -> None:
    expected: dict[str, list[Any]] = {}
    actual: dict[str, Any] = {}
    for field, wanted in expectations.items():
        if wanted is None:
            continue
        accepted = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        if row.get(field) not in accepted:
            expected[field], actual[field] = accepted, row.get(field)
    if not actual:
        return
    error: type[errors.NovaException] = errors.InstanceUpdateConflict
    if "task_state" in actual:
        deleting = actual["task_state"] == "deleting"
        error = errors.UnexpectedDeletingTaskStateError if deleting else errors.UnexpectedTaskStateError
    raise error(instance_uuid=row["uuid"], expected=expected, actual=actual)


def destroy(call: ObjectCall, hard_delete: bool = False) -> None:
    """Instance.destroy: marks it and what hangs on it as deleted, or removes all of it.

    An instance that the caller believes to be on no host must be on none: ObjectActionError otherwise.
    """
    call.require_existing("destroy")
    if "uuid" not in call.data:
        raise call.refuse("destroy", "no uuid")
    row = existing(call, call.data["uuid"], read_deleted="no")
    if not call.data.get("host") and row["host"] is not None:
        raise call.refuse("destroy", "host changed")
    uuid = row["uuid"]
    call.records.soft_delete("Instance", uuid=uuid)
    for kind in _CASCADE:
        if hard_delete:
            call.records.purge(kind, instance_uuid=uuid)
        else:
            call.records.soft_delete(kind, instance_uuid=uuid)
    call.records.purge("Tag", resource_id=uuid)
    call.records.purge("ConsoleAuthToken", instance_uuid=uuid)
    gone = existing(call, uuid, read_deleted="yes")
    if hard_delete:
        _purge_actions(call, uuid)
        call.records.purge("Instance", uuid=uuid)
    call.answer(instance_fields(call.records, [gone], ())[0])


def _purge_actions(call: ObjectCall, uuid: str) -> None:
    actions = [action["id"] for action in call.records.find("InstanceAction", instance_uuid=uuid)]
    call.records.purge("InstanceActionEvent", action_id=actions)
    call.records.purge("InstanceAction", instance_uuid=uuid)


def refresh(call: ObjectCall, use_slave: bool = False) -> None:
    """Instance.refresh: every field that the caller holds, as it is now."""
    row = existing(call, call.data["uuid"])
    fields = instance_fields(call.records, [row], OPTIONAL & set(call.data))[0]
    call.answer({name: value for name, value in fields.items() if name in call.data})


def delete_metadata_key(call: ObjectCall, key: str) -> None:
    """Instance.delete_metadata_key."""
    row = existing(call, call.data["uuid"])
    metadata = {name: value for name, value in row["metadata"].items() if name != key}
    call.records.update("Instance", row, {"metadata": metadata})
    call.answer({"metadata": metadata})


def drop_migration_context(call: ObjectCall) -> None:
    """Instance.drop_migration_context."""
    row = existing(call, call.data["uuid"])
    if row.get("migration_context") is not None:
        call.records.update("Instance", row, {"migration_context": None})
    call.answer({"migration_context": None})


def info_cache_by_instance(call: ClassCall, instance_uuid: str) -> Envelope:
    """InstanceInfoCache.get_by_instance_uuid; raises InstanceInfoCacheNotFound."""
    return envelope("InstanceInfoCache", _info_cache(call, instance_uuid))


def info_cache_save(call: ObjectCall, update_cells: bool = True) -> None:
    """InstanceInfoCache.save; raises InstanceNotFound when there is no such instance at all."""
    if "network_info" not in call.changes:
        return
    uuid = call.data["instance_uuid"]
    existing(call, uuid, read_deleted="yes")
    call.answer(_save_info_cache(call, uuid, as_saved(call.data["network_info"])))


def info_cache_refresh(call: ObjectCall) -> None:
    """InstanceInfoCache.refresh."""
    cache = _info_cache(call, call.data["instance_uuid"])
    call.answer({name: value for name, value in cache.items() if name in call.data})


def info_cache_delete(call: ObjectCall) -> None:
    """InstanceInfoCache.delete."""
    call.records.soft_delete("InstanceInfoCache", instance_uuid=call.data["instance_uuid"])


def _info_cache(call: ClassCall, uuid: str) -> Fields:
    cache = call.records.first("InstanceInfoCache", read_deleted=call.read_deleted, instance_uuid=uuid)
    if cache is None:
        raise errors.InstanceInfoCacheNotFound(instance_uuid=uuid)
    return cache


def _save_info_cache(call: ClassCall, uuid: str, network_info: str) -> Fields:
    change = {"network_info": network_info, "instance_uuid": uuid}
    cache = call.records.first("InstanceInfoCache", read_deleted="yes", instance_uuid=uuid)
    if cache is None:
        return call.records.insert("InstanceInfoCache", change)
    return call.records.update("InstanceInfoCache", cache, {**change, "updated_at": utc_now()})
