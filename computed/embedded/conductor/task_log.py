"""Remotables of TaskLog: which host has done a periodic job for which period."""

from __future__ import annotations

from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope

_KIND = "TaskLog"


def _second(moment: str) -> str:
    """A time as arguments or as fields carry it (with microseconds, with `Z`), to the second."""
    return moment[:19] + "Z"


def _keys(call: ObjectCall) -> dict[str, Any]:
    return {
        "task_name": call.data["task_name"],
        "host": call.data["host"],
        "period_beginning": _second(call.data["period_beginning"]),
        "period_ending": _second(call.data["period_ending"]),
    }


def begin_task(call: ObjectCall) -> None:
    """TaskLog.begin_task; raises TaskAlreadyRunning."""
    keys = _keys(call)
    if call.records.first(_KIND, **keys):
        raise errors.TaskAlreadyRunning(task_name=keys["task_name"], host=keys["host"])
    call.records.insert(_KIND, {**complete(_KIND, call.changed()), **keys, "state": "RUNNING"})


def end_task(call: ObjectCall) -> None:
    """TaskLog.end_task; raises TaskNotRunning."""
    keys = _keys(call)
    row = call.records.first(_KIND, **keys)
    if row is None:
        raise errors.TaskNotRunning(task_name=keys["task_name"], host=keys["host"])
    changes = {name: call.data[name] for name in ("errors", "message") if name in call.data}
    call.records.update(_KIND, row, {**changes, "state": "DONE"})


def get(
    call: ClassCall,
    task_name: str,
    period_beginning: str,
    period_ending: str,
    host: str,
    state: str | None = None,
) -> Envelope | None:
    """TaskLog.get; None when there is none."""
    keys = {
        "task_name": task_name,
        "host": host,
        "period_beginning": _second(period_beginning),
        "period_ending": _second(period_ending),
    }
    row = call.records.first(_KIND, **keys)
    return envelope(_KIND, row) if row and state in (None, row["state"]) else None
