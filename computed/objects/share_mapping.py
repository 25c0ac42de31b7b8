"""File shares attached to instances."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, Timestamped, register
from computed.objects.remote import remotable


@register
class ShareMapping(Timestamped, ComputedObject):
    """A shared file system attached to an instance."""

    VERSION = "1.2"
    fields = {
        "access_key": fields.StringField(nullable=True),
        "access_to": fields.StringField(nullable=True),
        "access_type": fields.StringField(nullable=True),
        "export_location": fields.StringField(),
        "id": fields.IntegerField(read_only=True),
        "instance_uuid": fields.UUIDField(),
        "share_id": fields.UUIDField(),
        "share_proto": fields.ShareMappingProtoField(),
        "status": fields.ShareMappingStatusField(),
        "tag": fields.StringField(),
        "uuid": fields.UUIDField(),
    }

    @remotable
    def delete(self) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance_uuid_and_share_id(cls, context: Any, instance_uuid: Any, share_id: Any) -> Any: ...

    @remotable
    def save(self) -> None: ...


@register
class ShareMappingList(ObjectList):
    """The shared file systems of an instance or host."""

    VERSION = "1.1"
    fields = {
        "objects": fields.ListOfObjectsField("ShareMapping"),
    }

    @classmethod
    @remotable
    def get_by_host_for_reconcile(cls, context: Any, host: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_share_id(cls, context: Any, share_id: Any) -> Any: ...
