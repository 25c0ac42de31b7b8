"""What a guest is told of its tagged devices."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, register
from computed.objects.remote import remotable


@register
class DeviceBus(ComputedObject):
    """Where on a bus a device of a guest sits; each kind of bus has a subclass."""

    VERSION = "1.0"
    fields: dict[str, Any] = {}


@register
class PCIDeviceBus(DeviceBus):
    """A place on the PCI bus."""

    VERSION = "1.0"
    fields = {
        "address": fields.PCIAddressField(),
    }


@register
class USBDeviceBus(DeviceBus):
    """A place on the USB bus."""

    VERSION = "1.0"
    fields = {
        "address": fields.USBAddressField(),
    }


@register
class SCSIDeviceBus(DeviceBus):
    """A place on the SCSI bus."""

    VERSION = "1.0"
    fields = {
        "address": fields.SCSIAddressField(),
    }


@register
class IDEDeviceBus(DeviceBus):
    """A place on the IDE bus."""

    VERSION = "1.0"
    fields = {
        "address": fields.IDEAddressField(),
    }


@register
class XenDeviceBus(DeviceBus):
    """A place on the bus of a Xen guest."""

    VERSION = "1.0"
    fields = {
        "address": fields.XenAddressField(),
    }


@register
class DeviceMetadata(ComputedObject):
    """What the metadata service tells a guest of one of its devices."""

    VERSION = "1.0"
    fields = {
        "bus": fields.ObjectField("DeviceBus", subclasses=True),
        "tags": fields.ListOfStringsField(),
    }


@register
class NetworkInterfaceMetadata(DeviceMetadata):
    """The metadata of a network interface."""

    VERSION = "1.2"
    fields = {
        "mac": fields.MACAddressField(),
        "vf_trusted": fields.BooleanField(default=False),
        "vlan": fields.IntegerField(),
    }


@register
class DiskMetadata(DeviceMetadata):
    """The metadata of a disk."""

    VERSION = "1.0"
    fields = {
        "path": fields.StringField(nullable=True),
        "serial": fields.StringField(nullable=True),
    }


@register
class ShareMetadata(DeviceMetadata):
    """The metadata of an attached share."""

    VERSION = "1.0"
    fields = {
        "share_id": fields.StringField(nullable=True),
        "tag": fields.StringField(nullable=True),
    }


@register
class InstanceDeviceMetadata(ComputedObject):
    """The metadata of all devices of an instance."""

    VERSION = "1.0"
    fields = {
        "devices": fields.ListOfObjectsField("DeviceMetadata", subclasses=True),
    }

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...
