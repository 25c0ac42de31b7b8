"""PCI devices of a host."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, Persistent, register
from computed.objects.remote import remotable


@register
class PciDevice(Persistent, ComputedObject):
    """A PCI device of a host and who holds it."""

    VERSION = "1.7"
    fields = {
        "address": fields.StringField(),
        "compute_node_id": fields.IntegerField(nullable=True),
        "dev_id": fields.StringField(nullable=True),
        "dev_type": fields.PciDeviceTypeField(),
        "extra_info": fields.DictOfStringsField(default={}),
        "id": fields.IntegerField(),
        "instance_uuid": fields.StringField(nullable=True),
        "label": fields.StringField(nullable=True),
        "numa_node": fields.IntegerField(nullable=True),
        "parent_addr": fields.StringField(nullable=True),
        "product_id": fields.StringField(),
        "request_id": fields.StringField(nullable=True),
        "status": fields.PciDeviceStatusField(),
        "uuid": fields.UUIDField(),
        "vendor_id": fields.StringField(),
    }
    CHANGED_IN_PLACE = ("extra_info",)

    @classmethod
    @remotable
    def get_by_dev_addr(cls, context: Any, compute_node_id: Any, dev_addr: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_dev_id(cls, context: Any, id: Any) -> Any: ...

    @remotable
    def save(self) -> None: ...


@register
class PciDeviceList(ObjectList):
    """PCI devices of a host or of an instance."""

    VERSION = "1.3"
    fields = {
        "objects": fields.ListOfObjectsField("PciDevice"),
    }

    @classmethod
    @remotable
    def get_by_compute_node(cls, context: Any, node_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, uuid: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_parent_address(cls, context: Any, node_id: Any, parent_addr: Any) -> Any: ...
