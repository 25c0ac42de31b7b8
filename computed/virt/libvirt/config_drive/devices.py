"""What a guest is told of its tagged devices: `devices` of meta_data.json."""

from __future__ import annotations

from typing import Any, Final

from computed import objects
from computed.virt.libvirt.config_drive import versions
from computed.virt.libvirt.config_drive.versions import has

_UNKNOWN: Final = "none"
_BUSES: Final = {
    "PCIDeviceBus": "pci",
    "USBDeviceBus": "usb",
    "SCSIDeviceBus": "scsi",
    "IDEDeviceBus": "ide",
    "XenDeviceBus": "xen",
}


def describe(device_metadata: Any, version: str) -> list[dict[str, Any]]:
    """The devices as a tree of `version` tells them; `device_metadata` may be None."""
    devices = device_metadata.devices if device_metadata is not None else ()
    told = (_device(device, version) for device in devices)
    return [device for device in told if device is not None]


def _device(device: Any, version: str) -> dict[str, Any] | None:
    """None for a device that the tree has no words for."""
    place = _place(device)
    kind = _kind(device, version)
    if place is None or kind is None:
        return None
    tags = {"tags": list(device.tags)} if "tags" in device else {}
    return {**kind, **place, **tags}


def _place(device: Any) -> dict[str, Any] | None:
    if "bus" not in device:
        return {"bus": _UNKNOWN, "address": _UNKNOWN}
    bus = _BUSES.get(device.bus.obj_name())
    if bus is None:
        return None
    return {"bus": bus, "address": device.bus.address if "address" in device.bus else _UNKNOWN}


def _kind(device: Any, version: str) -> dict[str, Any] | None:
    if isinstance(device, objects.NetworkInterfaceMetadata):
        return _interface(device, version)
    if isinstance(device, objects.DiskMetadata):
        known = [key for key in ("serial", "path") if key in device]
        return {"type": "disk", **{key: getattr(device, key) for key in known}}
    if isinstance(device, objects.ShareMetadata) and has(version, versions.EPOXY):
        return {"type": "share", "share_id": device.share_id, "tag": device.tag}
    return None


def _interface(device: Any, version: str) -> dict[str, Any] | None:
    """An interface, when there is more to say of it than its address."""
    told: dict[str, Any] = {}
    if has(version, versions.OCATA) and "vlan" in device and device.vlan is not None:
        told["vlan"] = device.vlan
    if has(version, versions.ROCKY):
        told["vf_trusted"] = device.vf_trusted if "vf_trusted" in device else False
    if not told and "tags" not in device:
        return None
    return {**told, "type": "nic", "mac": device.mac}
