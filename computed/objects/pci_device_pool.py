"""PCI devices of a host, counted by kind."""

from __future__ import annotations

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, register


@register
class PciDevicePool(ComputedObject):
    """How many devices of one kind a host has free."""

    VERSION = "1.1"
    fields = {
        "count": fields.IntegerField(),
        "numa_node": fields.IntegerField(nullable=True),
        "product_id": fields.StringField(),
        "tags": fields.DictOfNullableStringsField(),
        "vendor_id": fields.StringField(),
    }


@register
class PciDevicePoolList(ObjectList):
    """The free devices of a host, by kind."""

    VERSION = "1.1"
    fields = {
        "objects": fields.ListOfObjectsField("PciDevicePool"),
    }
