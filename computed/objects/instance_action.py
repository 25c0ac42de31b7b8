"""Actions and their events: what was asked of an instance, what was done, where and how it ended."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, Persistent, register
from computed.objects.remote import remotable, serialize_args


@register
class InstanceAction(Persistent, DictCompat, ComputedObject):
    """What was asked of an instance, and by whom: a line of the history that its owner sees."""

    VERSION = "1.2"
    fields = {
        "action": fields.StringField(nullable=True),
        "finish_time": fields.DateTimeField(nullable=True),
        "id": fields.IntegerField(),
        "instance_uuid": fields.UUIDField(nullable=True),
        "message": fields.StringField(nullable=True),
        "project_id": fields.StringField(nullable=True),
        "request_id": fields.StringField(nullable=True),
        "start_time": fields.DateTimeField(nullable=True),
        "user_id": fields.StringField(nullable=True),
    }

    @classmethod
    @remotable
    def action_finish(cls, context: Any, instance_uuid: Any, want_result: Any = True) -> Any: ...

    @classmethod
    @remotable
    def action_start(
        cls, context: Any, instance_uuid: Any, action_name: Any, want_result: Any = True
    ) -> Any: ...

    @remotable
    def create(self) -> None: ...

    @remotable
    def finish(self) -> None: ...

    @classmethod
    @remotable
    def get_by_request_id(cls, context: Any, instance_uuid: Any, request_id: Any) -> Any: ...


@register
class InstanceActionEvent(Persistent, DictCompat, ComputedObject):
    """One leg of a user's action: which host did what, from when to when, how it ended."""

    VERSION = "1.4"
    fields = {
        "action_id": fields.IntegerField(nullable=True),
        "details": fields.StringField(nullable=True),
        "event": fields.StringField(nullable=True),
        "finish_time": fields.DateTimeField(nullable=True),
        "host": fields.StringField(nullable=True),
        "id": fields.IntegerField(),
        "result": fields.StringField(nullable=True),
        "start_time": fields.DateTimeField(nullable=True),
        "traceback": fields.StringField(nullable=True),
    }

    @remotable
    def create(self, instance_uuid: Any, request_id: Any) -> None: ...

    @classmethod
    @remotable
    def event_finish(
        cls, context: Any, instance_uuid: Any, event_name: Any, want_result: Any = True
    ) -> Any: ...

    @classmethod
    @serialize_args
    @remotable
    def event_finish_with_failure(
        cls,
        context: Any,
        instance_uuid: Any,
        event_name: Any,
        exc_val: Any = None,
        exc_tb: Any = None,
        want_result: Any = None,
    ) -> Any: ...

    @classmethod
    @remotable
    def event_start(
        cls, context: Any, instance_uuid: Any, event_name: Any, want_result: Any = True, host: Any = None
    ) -> Any: ...

    @remotable
    def finish(self) -> Any: ...

    @remotable
    def finish_with_failure(self, exc_val: Any, exc_tb: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_id(cls, context: Any, action_id: Any, event_id: Any) -> Any: ...
