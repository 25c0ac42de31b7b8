"""Where in the guest the devices are that its owner has tagged, so that the guest can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import strutils

from computed import objects

if TYPE_CHECKING:
    from computed.virt.libvirt.xml.address import Address
    from computed.virt.libvirt.xml.devices.disk import Disk
    from computed.virt.libvirt.xml.domain import Domain
    from computed.virt.specs import GuestSpec

_DISK_BUSES: Final = {"scsi": "SCSIDeviceBus", "ide": "IDEDeviceBus", "usb": "USBDeviceBus"}


def wants_description(spec: GuestSpec, tags: Mapping[str, str]) -> bool:
    """Whether there is anything to be told of the guest's devices; `tags` are by MAC address."""
    return bool(tags) or any(disk.tag for disk in spec.disks) or bool(_vlans(spec))


def describe(domain: Domain, spec: GuestSpec, tags: Mapping[str, str]) -> Any:
    """The tagged devices with their addresses in the guest as libvirt has given them (objects.
    InstanceDeviceMetadata), None when there are none."""
    devices = [*_interfaces(domain, spec, tags), *_disks(domain, spec)]
    return objects.InstanceDeviceMetadata(devices=devices) if devices else None


def _interfaces(domain: Domain, spec: GuestSpec, tags: Mapping[str, str]) -> Iterator[Any]:
    vlans, trusted = _vlans(spec), _trusted(spec)
    for interface in domain.interfaces:
        mac = interface.mac or ""
        if mac not in tags and mac not in vlans:
            continue
        told = objects.NetworkInterfaceMetadata(mac=mac, vf_trusted=mac in trusted)
        if mac in tags:
            told.tags = [tags[mac]]
        if mac in vlans:
            told.vlan = vlans[mac]
        pci = _pci(interface.address)
        if pci is not None:
            told.bus = pci
        yield told


def _disks(domain: Domain, spec: GuestSpec) -> Iterator[Any]:
    tagged = {(disk.device_name or "").removeprefix("/dev/"): disk for disk in spec.disks if disk.tag}
    for disk in domain.disks:
        ordered = tagged.get(disk.target_dev or "")
        if ordered is None:
            continue
        told = objects.DiskMetadata(tags=[ordered.tag], serial=ordered.volume_id)
        bus = _pci(disk.address) or _bus_of(disk)
        if bus is not None:
            told.bus = bus
        yield told


def _pci(address: Address | None) -> Any:
    if address is None or address.type != "pci":
        return None
    domain, bus, slot, function = (
        int(part or "0", 16) for part in (address.domain, address.bus, address.slot, address.function)
    )
    return objects.PCIDeviceBus(address=f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}")


def _bus_of(disk: Disk) -> Any:
    """The bus of a disk that is no PCI device of its own."""
    name = _DISK_BUSES.get(disk.target_bus or "")
    if name is None:
        return None
    bus = getattr(objects, name)()
    address = disk.address
    if address is not None and address.type == "drive":
        place = (address.bus, address.unit)
        whole = (address.controller, address.bus, address.target, address.unit)
        parts = place if name == "IDEDeviceBus" else whole
        bus.address = ":".join(part or "0" for part in parts)
    return bus


def _vlans(spec: GuestSpec) -> dict[str, int]:
    return {
        vif["address"]: int(vif["details"]["vlan"])
        for vif in spec.network_info or ()
        if (vif["details"] or {}).get("vlan")
    }


def _trusted(spec: GuestSpec) -> set[str]:
    return {
        vif["address"]
        for vif in spec.network_info or ()
        if strutils.bool_from_string((vif["profile"] or {}).get("trusted", "False"))
    }
