"""Virtual interface records of instances."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, Persistent, register
from computed.objects.remote import remotable


@register
class VirtualInterface(Persistent, ComputedObject):
    """The record of a port of an instance: its address and tag."""

    VERSION = "1.3"
    fields = {
        "address": fields.StringField(nullable=True),
        "id": fields.IntegerField(),
        "instance_uuid": fields.UUIDField(),
        "network_id": fields.IntegerField(),
        "tag": fields.StringField(nullable=True),
        "uuid": fields.UUIDField(),
    }

    @remotable
    def create(self) -> None: ...

    @classmethod
    @remotable
    def delete_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def get_by_address(cls, context: Any, address: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_id(cls, context: Any, vif_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance_and_network(cls, context: Any, instance_uuid: Any, network_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_uuid(cls, context: Any, vif_uuid: Any) -> Any: ...

    @remotable
    def save(self) -> None: ...


@register
class VirtualInterfaceList(ObjectList):
    """The recorded ports of an instance."""

    VERSION = "1.0"
    fields = {
        "objects": fields.ListOfObjectsField("VirtualInterface"),
    }

    @classmethod
    @remotable
    def get_all(cls, context: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any, use_slave: Any = False) -> Any: ...
