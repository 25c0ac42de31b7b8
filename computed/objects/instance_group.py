"""Server groups and their policies."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, Persistent, register, remotable


@register
class InstanceGroup(Persistent, DictCompat, ComputedObject):
    VERSION = "1.11"
    fields = {
        "_rules": fields.DictOfStringsField(),
        "hosts": fields.ListOfStringsField(nullable=True),
        "id": fields.IntegerField(),
        "members": fields.ListOfStringsField(nullable=True),
        "name": fields.StringField(nullable=True),
        "policies": fields.ListOfStringsField(nullable=True, read_only=True),
        "policy": fields.StringField(nullable=True),
        "project_id": fields.StringField(nullable=True),
        "user_id": fields.StringField(nullable=True),
        "uuid": fields.UUIDField(),
    }

    @classmethod
    @remotable
    def add_members(cls, context: Any, group_uuid: Any, instance_uuids: Any) -> Any: ...

    @remotable
    def count_members_by_user(self, user_id: Any) -> Any: ...

    @remotable
    def create(self) -> None: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_name(cls, context: Any, name: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_uuid(cls, context: Any, uuid: Any) -> Any: ...

    @remotable
    def get_hosts(self, exclude: Any = None) -> Any: ...

    @remotable
    def refresh(self) -> None: ...

    @remotable
    def save(self) -> None: ...
