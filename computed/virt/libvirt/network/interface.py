"""What an interface looks like to libvirt: pure, from the port's binding and what the guest wants.

Source: contract states.json, network; host_files.json, network_devices; the domains that stock agents make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from computed import errors
from computed.virt.libvirt.network import vif_types
from computed.virt.libvirt.network.pci_functions import PciNames, parts
from computed.virt.libvirt.network.wishes import InterfaceWishes, Limits
from computed.virt.libvirt.xml.address import Address
from computed.virt.libvirt.xml.devices.board import HostDevice
from computed.virt.libvirt.xml.devices.interface import Direction, Interface, Outbound, VirtualPort

_SYSFS: Final = PciNames()


def interface(vif: Any, wishes: InterfaceWishes, names: PciNames = _SYSFS) -> Interface:
    """The interface of a port.

    `vif` is a network_model.VIF. Raises InternalError (a kind that is not supported, no kind at all, or a
    port that is bound to no host), VifDetailsMissing..., PciDeviceNotFoundById. A port whose whole function
    is handed over (hostdev_physical) has no interface: see `host_device`.
    """
    design = _DESIGNS.get(vif["type"])
    if design is None:
        raise vif_types.refuse(vif, errors.InternalError)
    return design(vif, wishes, names)


def is_host_device(vif: Any) -> bool:
    """Whether the guest gets a physical function as a bare PCI device."""
    return bool(vif["type"] == vif_types.HOSTDEV)


def host_device(vif: Any) -> HostDevice:
    """The PCI device of a port whose whole function is handed over. Raises InternalError,
    PciDeviceWrongAddressFormat."""
    return HostDevice(mode="subsystem", type="pci", managed=True, source=_pci_source(vif))


def devices(
    network_info: Any, wishes: InterfaceWishes, names: PciNames = _SYSFS
) -> tuple[list[Interface], list[HostDevice]]:
    """All that the ports of a guest are to libvirt, in order; raises as `interface` and `host_device` do."""
    return (
        [interface(vif, wishes, names) for vif in network_info if not is_host_device(vif)],
        [host_device(vif) for vif in network_info if is_host_device(vif)],
    )


def _frontend(vif: Any, wishes: InterfaceWishes) -> Interface:
    """The side of it that the guest sees."""
    if vif["vnic_type"] in vif_types.PASSTHROUGH_VNICS:
        return Interface(mac=vif["address"])
    made = Interface(mac=vif["address"], model=wishes.model)
    if wishes.model == "virtio":
        made.driver_name = wishes.driver
        if wishes.driver is not None:
            made.queues = wishes.queues
            made.rx_queue_size = wishes.rx_queue_size
        made.packed = wishes.is_packed or None
    return made


def _shaped(made: Interface, wishes: InterfaceWishes) -> Interface:
    made.inbound = _limit(Direction, wishes.inbound)
    made.outbound = _limit(Outbound, wishes.outbound)
    return made


def _limit(kind: type[Any], limits: Limits | None) -> Any:
    if limits is None:
        return None
    return kind(average=limits.average, peak=limits.peak, burst=limits.burst)


def _ethernet(vif: Any, wishes: InterfaceWishes, *, is_tap_ready: bool = False) -> Interface:
    """A tap device that libvirt makes and somebody else has in a switch, or is there already."""
    made = _shaped(_frontend(vif, wishes), wishes)
    made.type = "ethernet"
    made.target_dev = vif_types.device_name(vif)
    made.target_managed = False if is_tap_ready else None
    made.mtu = vif_types.mtu_of(vif)
    return made


def _bridged(vif: Any, wishes: InterfaceWishes, bridge: str | None) -> Interface:
    """A tap device that libvirt puts into a bridge."""
    if not bridge:
        raise errors.InternalError(err=f"port {vif['id']} ({vif['type']}) names no bridge")
    made = _shaped(_frontend(vif, wishes), wishes)
    made.type = "bridge"
    made.source_bridge = bridge
    made.target_dev = vif_types.device_name(vif)
    made.mtu = vif_types.mtu_of(vif)
    return made


def _design_bridge(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    return _bridged(vif, wishes, vif["network"]["bridge"])


def _design_ovs(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    vnic_type = vif["vnic_type"]
    if vnic_type == "vdpa":
        return _design_vdpa(vif, wishes, names)
    if vnic_type in ("direct", "remote-managed"):
        return _function(vif, wishes)
    if vif_types.is_hybrid(vif):
        return _bridged(vif, wishes, vif_types.named("qbr", vif))
    if vif_types.is_tap_made_first(vif):
        return _ethernet(vif, wishes, is_tap_ready=True)
    if vif["delegate_create"]:
        return _ethernet(vif, wishes)
    made = _bridged(vif, wishes, vif["network"]["bridge"])
    # Not a plugin of ours but libvirt puts the tap device into the switch, under this identity.
    made.virtual_port = VirtualPort(type="openvswitch", interface_id=vif["ovs_interfaceid"] or vif["id"])
    return made


def _design_vdpa(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    made = _frontend(vif, wishes)
    made.type = "vdpa"
    made.source_dev = names.vdpa_device(vif_types.pci_slot(vif))
    return made


def _design_vhostuser(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    mode, path = vif_types.vhostuser_socket(vif)
    made = _frontend(vif, wishes)
    made.type = "vhostuser"
    made.source_type, made.source_mode, made.source_path = "unix", mode, path
    made.target_dev = vif_types.vhostuser_name(vif)
    # The other end of the socket moves the packets: libvirt takes no name of a driver here.
    made.driver_name = None
    if made.model == "virtio":
        made.queues = wishes.queues
        made.rx_queue_size, made.tx_queue_size = wishes.rx_queue_size, wishes.tx_queue_size
    return made


def _design_tap(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    made = _ethernet(vif, wishes, is_tap_ready=True)
    # This kind was never shaped by the agent: whoever made its switch does it.
    made.inbound = made.outbound = None
    return made


def _design_vrouter(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    if vif["vnic_type"] == "direct":
        return _function(vif, wishes)
    if vif["vnic_type"] == "virtio-forwarder":
        return _design_vhostuser(vif, wishes, names)
    return _ethernet(vif, wishes)


def _design_agilio_ovs(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    if vif["vnic_type"] == "virtio-forwarder":
        return _design_vhostuser(vif, wishes, names)
    return _design_ovs(vif, wishes, names)


def _design_ivs(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    if vif_types.is_hybrid(vif):
        return _bridged(vif, wishes, vif_types.named("qbr", vif))
    return _ethernet(vif, wishes)


def _design_hw_veb(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    vlan = vif["details"].get("vlan")
    if vif["vnic_type"] in ("direct", "accelerator-direct"):
        made = _function(vif, wishes)
    else:
        made = _direct(vif, wishes, names.network_device(vif_types.pci_slot(vif)), "passthrough")
    made.vlan_tag = int(vlan) if vlan else None
    return made


def _design_user(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    made = _frontend(vif, wishes)
    made.type = "user"
    # Nothing of the host's kernel is behind it that could be chosen, queued or shaped.
    made.driver_name = made.queues = made.rx_queue_size = None
    return made


def _design_802_1qbh(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    if vif["vnic_type"] == "direct":
        made = _function(vif, wishes)
    else:
        made = _direct(vif, wishes, names.network_device(vif_types.pci_slot(vif)), "passthrough")
    made.virtual_port = VirtualPort(type="802.1Qbh", profile_id=vif["details"].get("profileid"))
    return made


def _design_macvtap(vif: Any, wishes: InterfaceWishes, names: PciNames) -> Interface:
    wanted = ("macvtap_source", "macvtap_mode", "physical_interface")
    missing = [name for name in wanted if vif["details"].get(name) is None]
    if missing:
        raise errors.VifDetailsMissingMacvtapParameters(vif_id=vif["id"], missing_params=missing)
    made = _shaped(_frontend(vif, wishes), wishes)
    made.type, made.model = "direct", "virtio"
    made.source_dev, made.source_mode = vif["details"]["macvtap_source"], vif["details"]["macvtap_mode"]
    return made


def _direct(vif: Any, wishes: InterfaceWishes, device: str, mode: str) -> Interface:
    made = _shaped(_frontend(vif, wishes), wishes)
    made.type, made.driver_name = "direct", "vhost"
    made.source_dev, made.source_mode = device, mode
    return made


def _function(vif: Any, wishes: InterfaceWishes) -> Interface:
    """A PCI function that the guest holds itself."""
    made = _frontend(vif, wishes)
    made.type, made.managed = "hostdev", True
    made.model = made.driver_name = None
    made.queues = made.rx_queue_size = made.packed = None
    made.host_address = _pci_source(vif)
    return made


def _pci_source(vif: Any) -> Address:
    domain, bus, slot, function = parts(vif_types.pci_slot(vif))
    return Address(
        type="pci", domain=f"0x{domain}", bus=f"0x{bus}", slot=f"0x{slot}", function=f"0x{function}"
    )


_DESIGNS: Final[dict[str, Callable[[Any, InterfaceWishes, PciNames], Interface]]] = {
    vif_types.OVS: _design_ovs,
    vif_types.BRIDGE: _design_bridge,
    vif_types.VHOSTUSER: _design_vhostuser,
    vif_types.TAP: _design_tap,
    vif_types.HW_VEB: _design_hw_veb,
    vif_types.MACVTAP: _design_macvtap,
    vif_types.PROFILE_802_1QBH: _design_802_1qbh,
    vif_types.AGILIO_OVS: _design_agilio_ovs,
    vif_types.IVS: _design_ivs,
    vif_types.VROUTER: _design_vrouter,
    vif_types.USER: _design_user,
}
