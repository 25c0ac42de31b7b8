"""Remotables of instance actions, their events, and instance faults."""

from __future__ import annotations

from typing import Any

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import Envelope, envelope, list_envelope
from computed.embedded.store import Fields, utc_now

_ACTION, _EVENT, _FAULT = "InstanceAction", "InstanceActionEvent", "InstanceFault"


def action_start(
    call: ClassCall, instance_uuid: str, action_name: str, want_result: bool = True
) -> Envelope | None:
    """InstanceAction.action_start: a new action under the request id of the context."""
    fields = {
        "instance_uuid": instance_uuid,
        "action": action_name,
        "request_id": call.context.request_id,
        "user_id": call.context.user_id,
        "project_id": call.context.project_id,
        "start_time": utc_now(),
    }
    row = call.records.insert(_ACTION, complete(_ACTION, fields))
    return envelope(_ACTION, row) if want_result else None


def event_start(
    call: ClassCall,
    instance_uuid: str,
    event_name: str,
    want_result: bool = True,
    host: str | None = None,
) -> Envelope | None:
    """InstanceActionEvent.event_start; raises InstanceActionNotFound."""
    action = _action_for_event(call, instance_uuid)
    now = utc_now()
    fields = {"event": event_name, "action_id": action["id"], "start_time": now, "host": host}
    row = call.records.insert(_EVENT, complete(_EVENT, fields))
    _touch(call, action, {})
    return envelope(_EVENT, row) if want_result else None


def event_finish(
    call: ClassCall, instance_uuid: str, event_name: str, want_result: bool = True
) -> Envelope | None:
    """InstanceActionEvent.event_finish: the event has succeeded."""
    return event_finish_with_failure(call, instance_uuid, event_name, want_result=want_result)


def event_finish_with_failure(
    call: ClassCall,
    instance_uuid: str,
    event_name: str,
    exc_val: str | None = None,
    exc_tb: str | None = None,
    want_result: bool | None = None,
) -> Envelope | None:
    """InstanceActionEvent.event_finish_with_failure: a traceback makes it an error.

    Raises InstanceActionNotFound, InstanceActionEventNotFound.
    """
    action = _action_for_event(call, instance_uuid)
    row = call.records.first(_EVENT, action_id=action["id"], event=event_name)
    if row is None:
        raise errors.InstanceActionEventNotFound(action_id=action["id"], event=event_name)
    failed = exc_tb is not None
    changes: dict[str, Any] = {"finish_time": utc_now(), "result": "Error" if failed else "Success"}
    if failed:
        changes.update(traceback=exc_tb, details=exc_val[:255] if exc_val else None)
    row = call.records.update(_EVENT, row, changes)
    _touch(call, action, {"message": "Error"} if failed else {})
    return envelope(_EVENT, row) if want_result else None


def _of_request(call: ClassCall, instance_uuid: str) -> Fields | None:
    rows = call.records.find(_ACTION, instance_uuid=instance_uuid, request_id=call.context.request_id)
    return rows[-1] if rows else None


def _action_for_event(call: ClassCall, instance_uuid: str) -> Fields:
    """The action of this request, or for a context of the service itself the latest one of the instance.

    After a restart an agent goes on with work whose request id it no longer knows.
    """
    action = _of_request(call, instance_uuid)
    if action is None and not call.context.project_id:
        rows = call.records.find(_ACTION, instance_uuid=instance_uuid)
        action = rows[-1] if rows else None
    if action is None:
        raise _no_action(call, instance_uuid)
    return action


def _touch(call: ClassCall, action: Fields, changes: dict[str, Any]) -> None:
    # Only the request that made the action moves its time.
    if action["request_id"] == call.context.request_id or changes:
        call.records.update(_ACTION, action, changes)


def _no_action(call: ClassCall, instance_uuid: str) -> errors.NovaException:
    return errors.InstanceActionNotFound(request_id=call.context.request_id, instance_uuid=instance_uuid)


def fault_create(call: ObjectCall) -> None:
    """InstanceFault.create."""
    call.require_new()
    call.answer(call.records.insert(_FAULT, complete(_FAULT, call.changed())))


def latest_fault(call: ClassCall, instance_uuid: str) -> Envelope | None:
    """InstanceFault.get_latest_for_instance; None when there is none."""
    rows = call.records.find(_FAULT, read_deleted="yes", instance_uuid=instance_uuid)
    return envelope(_FAULT, rows[-1]) if rows else None


def latest_faults_of(call: ClassCall, instance_uuids: list[str]) -> Envelope:
    """InstanceFaultList.get_latest_by_instance_uuids."""
    rows = call.records.find(_FAULT, read_deleted="yes", instance_uuid=instance_uuids)
    latest = {row["instance_uuid"]: row for row in rows}
    return list_envelope("InstanceFaultList", _FAULT, latest.values())
