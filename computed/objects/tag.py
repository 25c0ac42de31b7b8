"""Tags of an instance."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, register
from computed.objects.remote import remotable


@register
class Tag(ComputedObject):
    """A label that a user put on an instance."""

    VERSION = "1.1"
    fields = {
        "resource_id": fields.StringField(),
        "tag": fields.StringField(),
    }

    @remotable
    def create(self) -> None: ...

    @classmethod
    @remotable
    def destroy(cls, context: Any, resource_id: Any, name: Any) -> Any: ...

    @classmethod
    @remotable
    def exists(cls, context: Any, resource_id: Any, name: Any) -> Any: ...


@register
class TagList(ObjectList):
    """The labels of an instance."""

    VERSION = "1.1"
    fields = {
        "objects": fields.ListOfObjectsField("Tag"),
    }

    @classmethod
    @remotable
    def create(cls, context: Any, resource_id: Any, tags: Any) -> Any: ...

    @classmethod
    @remotable
    def destroy(cls, context: Any, resource_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_resource_id(cls, context: Any, resource_id: Any) -> Any: ...
