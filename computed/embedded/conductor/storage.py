"""Remotables of volume usage and of file shares."""

from __future__ import annotations

import uuid as uuids

from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope
from computed.embedded.store import utc_now

_MOVED = ("confirmed", "reverted", "error")
_USAGE, _SHARE = "VolumeUsage", "ShareMapping"
_COUNTERS = ("reads", "read_bytes", "writes", "write_bytes")
_EPHEMERAL = frozenset({"access_type", "access_to", "access_key"})


def usage_save(call: ObjectCall, update_totals: bool = False) -> None:
    """VolumeUsage.save: the counters of one attachment; a counter that fell says that it began anew.

    With `update_totals` (at detach) the current counters go into the totals.
    """
    changes = {name: value for name, value in call.changed().items() if not name.startswith("tot_")}
    row = call.records.first(_USAGE, volume_id=call.data["volume_id"])
    old = row or complete(_USAGE, {})
    current = {f"curr_{name}": int(changes.get(f"curr_{name}", 0)) for name in _COUNTERS}
    changes.update(current, curr_last_refreshed=utc_now())
    restarted = any(current[f"curr_{name}"] < (old[f"curr_{name}"] or 0) for name in _COUNTERS)
    for name in _COUNTERS:
        total = old[f"tot_{name}"] or 0
        if update_totals:
            changes[f"tot_{name}"] = total + current[f"curr_{name}"]
            changes[f"curr_{name}"] = 0
        elif restarted:
            changes[f"tot_{name}"] = total + (old[f"curr_{name}"] or 0)
    if update_totals or restarted:
        changes["tot_last_refreshed"] = utc_now()
    changes.pop("id", None)
    row = (
        call.records.update(_USAGE, row, changes) if row else call.records.insert(_USAGE, {**old, **changes})
    )
    call.answer(row)


def share_save(call: ObjectCall) -> None:
    """ShareMapping.save: made or changed by instance and share; how to mount it is never kept."""
    keys = {"instance_uuid": call.data["instance_uuid"], "share_id": call.data["share_id"]}
    fields = {name: value for name, value in call.data.items() if name not in _EPHEMERAL and name != "id"}
    row = call.records.first(_SHARE, **keys)
    if row is None:
        fields.setdefault("uuid", str(uuids.uuid4()))
        row = call.records.insert(_SHARE, {**complete(_SHARE, {}), **fields})
    else:
        row = call.records.update(_SHARE, row, fields)
    call.answer({name: value for name, value in row.items() if name not in _EPHEMERAL})


def share_delete(call: ObjectCall) -> None:
    """ShareMapping.delete."""
    call.records.purge(_SHARE, instance_uuid=call.data["instance_uuid"], share_id=call.data["share_id"])


def shares_of_instance(call: ClassCall, instance_uuid: str) -> Envelope:
    """ShareMappingList.get_by_instance_uuid."""
    return _shares(call.records.find(_SHARE, instance_uuid=instance_uuid))


def mappings_of_share(call: ClassCall, share_id: str) -> Envelope:
    """ShareMappingList.get_by_share_id."""
    return _shares(call.records.find(_SHARE, share_id=share_id))


def shares_to_reconcile(call: ClassCall, host: str) -> Envelope:
    """ShareMappingList.get_by_host_for_reconcile: those of the instances that are on a host, or that a
    finished move brought there or took from there."""
    known = {row["uuid"] for row in call.records.find("Instance", read_deleted="yes", host=host)}
    for key in ("source_compute", "dest_compute"):
        moves = call.records.find("Migration", status=_MOVED, **{key: host})
        known |= {move["instance_uuid"] for move in moves}
    return _shares(call.records.find(_SHARE, instance_uuid=known) if known else [])


def _shares(rows: list[dict[str, object]]) -> Envelope:
    kept = [{name: value for name, value in row.items() if name not in _EPHEMERAL} for row in rows]
    return envelope("ShareMappingList", {"objects": [envelope(_SHARE, row) for row in kept]})
