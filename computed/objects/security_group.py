"""Security groups."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, Persistent, register
from computed.objects.remote import remotable


@register
class SecurityGroup(Persistent, ComputedObject):
    """A security group; only its name or id is still used."""

    VERSION = "1.2"
    fields = {
        "description": fields.StringField(),
        "id": fields.IntegerField(),
        "name": fields.StringField(),
        "project_id": fields.StringField(),
        "user_id": fields.StringField(),
        "uuid": fields.UUIDField(),
    }

    @classmethod
    @remotable
    def get(cls, context: Any, secgroup_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_name(cls, context: Any, project_id: Any, group_name: Any) -> Any: ...

    @remotable
    def in_use(self) -> Any: ...

    @remotable
    def refresh(self) -> None: ...

    @remotable
    def save(self) -> None: ...


@register
class SecurityGroupList(ObjectList):
    """Security groups of an instance."""

    VERSION = "1.1"
    fields = {
        "objects": fields.ListOfObjectsField("SecurityGroup"),
    }

    @classmethod
    @remotable
    def get_all(cls, context: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance(cls, context: Any, instance: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_project(cls, context: Any, project_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_counts(cls, context: Any, project_id: Any, user_id: Any = None) -> Any: ...
