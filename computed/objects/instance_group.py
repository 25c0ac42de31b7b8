"""Server groups and their policies."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, Persistent, register
from computed.objects.remote import remotable


@register
class InstanceGroup(Persistent, DictCompat, ComputedObject):
    """A server group: instances that want to be together or apart."""

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

    def obj_load_attr(self, attrname: str) -> None:
        """Ask on which hosts the members are; other fields are never left out."""
        if attrname != "hosts":
            super().obj_load_attr(attrname)
            return
        self.hosts = self.get_hosts()
        self.obj_reset_changes(["hosts"])

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
