"""What a guest is told of its tagged devices."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, register, remotable


@register
class DeviceBus(ComputedObject):
    VERSION = "1.0"
    fields: dict[str, Any] = {}


@register
class PCIDeviceBus(DeviceBus):
    VERSION = "1.0"
    fields = {
        "address": fields.PCIAddressField(),
    }


@register
class USBDeviceBus(DeviceBus):
    VERSION = "1.0"
    fields = {
        "address": fields.USBAddressField(),
    }


@register
class SCSIDeviceBus(DeviceBus):
    VERSION = "1.0"
    fields = {
        "address": fields.SCSIAddressField(),
    }


@register
class IDEDeviceBus(DeviceBus):
    VERSION = "1.0"
    fields = {
        "address": fields.IDEAddressField(),
    }


@register
class XenDeviceBus(DeviceBus):
    VERSION = "1.0"
    fields = {
        "address": fields.XenAddressField(),
    }


@register
class DeviceMetadata(ComputedObject):
    VERSION = "1.0"
    fields = {
        "bus": fields.ObjectField("DeviceBus", subclasses=True),
        "tags": fields.ListOfStringsField(),
    }


@register
class NetworkInterfaceMetadata(DeviceMetadata):
    VERSION = "1.2"
    fields = {
        "mac": fields.MACAddressField(),
        "vf_trusted": fields.BooleanField(default=False),
        "vlan": fields.IntegerField(),
    }


@register
class DiskMetadata(DeviceMetadata):
    VERSION = "1.0"
    fields = {
        "path": fields.StringField(nullable=True),
        "serial": fields.StringField(nullable=True),
    }


@register
class ShareMetadata(DeviceMetadata):
    VERSION = "1.0"
    fields = {
        "share_id": fields.StringField(nullable=True),
        "tag": fields.StringField(nullable=True),
    }


@register
class InstanceDeviceMetadata(ComputedObject):
    VERSION = "1.0"
    fields = {
        "devices": fields.ListOfObjectsField("DeviceMetadata", subclasses=True),
    }

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...
