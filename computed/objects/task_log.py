"""Logs of periodic usage audits."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, Persistent, register
from computed.objects.remote import remotable, serialize_args


@register
class TaskLog(Persistent, ComputedObject):
    """The record that a periodic audit of usage ran for a period."""

    VERSION = "1.0"
    fields = {
        "errors": fields.IntegerField(),
        "host": fields.StringField(),
        "id": fields.IntegerField(read_only=True),
        "message": fields.StringField(),
        "period_beginning": fields.DateTimeField(),
        "period_ending": fields.DateTimeField(),
        "state": fields.StringField(read_only=True),
        "task_items": fields.IntegerField(),
        "task_name": fields.StringField(),
    }

    @remotable
    def begin_task(self) -> Any: ...

    @remotable
    def end_task(self) -> Any: ...

    @classmethod
    @serialize_args
    @remotable
    def get(
        cls,
        context: Any,
        task_name: Any,
        period_beginning: Any,
        period_ending: Any,
        host: Any,
        state: Any = None,
    ) -> Any: ...
