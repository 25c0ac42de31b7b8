"""Faults: why an operation on an instance failed."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, ObjectList, Persistent, register
from computed.objects.remote import remotable


@register
class InstanceFault(Persistent, DictCompat, ComputedObject):
    """What went wrong with an instance, as its owner sees it."""

    VERSION = "1.2"
    fields = {
        "code": fields.IntegerField(),
        "details": fields.StringField(nullable=True),
        "host": fields.StringField(nullable=True),
        "id": fields.IntegerField(),
        "instance_uuid": fields.UUIDField(),
        "message": fields.StringField(nullable=True),
    }

    @remotable
    def create(self) -> None: ...

    @classmethod
    @remotable
    def get_latest_for_instance(cls, context: Any, instance_uuid: Any) -> Any: ...


@register
class InstanceFaultList(ObjectList):
    """Faults of several instances."""

    VERSION = "1.2"
    fields = {
        "objects": fields.ListOfObjectsField("InstanceFault"),
    }

    @classmethod
    @remotable
    def get_by_instance_uuids(cls, context: Any, instance_uuids: Any) -> Any: ...

    @classmethod
    @remotable
    def get_latest_by_instance_uuids(cls, context: Any, instance_uuids: Any) -> Any: ...
