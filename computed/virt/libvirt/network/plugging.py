"""Putting interfaces into the host's switches and taking them out again, each as often as one likes.

Open vSwitch, vhost-user and whatever else has a plugin go through os-vif. Since os-vif 4 there is no plugin
for Linux bridges: libvirt puts the tap device into the bridge when the guest starts, and here it is only seen
to that the bridge is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import os_vif
from os_vif import exception as os_vif_errors

from computed import errors
from computed.privileged import network as privileged
from computed.virt.libvirt.network import pci_functions, vif_types
from computed.virt.libvirt.network.interface import devices, host_device, interface, is_host_device
from computed.virt.libvirt.network.os_vifs import instance_info, os_vif_of
from computed.virt.libvirt.network.wishes import InterfaceOptions, is_multiqueue, wishes_of
from computed.virt.libvirt.xml.devices.board import HostDevice
from computed.virt.libvirt.xml.devices.interface import Interface

LOG = logging.getLogger(__name__)

_DEVICES: Final = Path("/sys/class/net")
_NO_MAC: Final = "00:00:00:00:00:00"


class Plugger:
    """Plugs and unplugs, and says what is plugged to libvirt; `vif` is a network_model.VIF."""

    def __init__(self, conf: Any) -> None:
        self._options = InterfaceOptions.of(conf)

    def interface(self, instance: Any, image_meta: Any, vif: Any) -> Interface | HostDevice:
        """What a port is to libvirt; raises as `wishes_of` and `interface.interface` do."""
        wishes = wishes_of(instance.flavor, image_meta, self._options)
        return host_device(vif) if is_host_device(vif) else interface(vif, wishes)

    def interfaces(
        self, instance: Any, image_meta: Any, network_info: Any
    ) -> tuple[list[Interface], list[HostDevice]]:
        """All that the ports of a guest are to libvirt; raises alike."""
        return devices(network_info, wishes_of(instance.flavor, image_meta, self._options))

    def plug(self, instance: Any, vif: Any) -> None:
        """See that the port's side of the switch is there. Raises VirtualInterfacePlugException."""
        LOG.debug("Instance %s: plugging port %s (%s)", instance.uuid, vif["id"], vif["type"])
        try:
            made = os_vif_of(vif, is_multiqueue=_is_multiqueue_tap(instance, vif))
            if made is not None:
                os_vif.plug(made, instance_info(instance))
            else:
                _step(vif, _PLUGS, errors.VirtualInterfacePlugException)(instance, vif)
        except errors.VirtualInterfacePlugException:
            raise
        except Exception as error:
            raise errors.VirtualInterfacePlugException(_failure("plugged", vif, error)) from error

    def unplug(self, instance: Any, vif: Any) -> None:
        """Take the port out of the switch; one that is not in it is no error. Raises
        VirtualInterfaceUnplugException."""
        LOG.debug("Instance %s: unplugging port %s (%s)", instance.uuid, vif["id"], vif["type"])
        if vif["type"] in vif_types.UNBOUND:
            # Never plugged: there is nothing to take out, and a delete must not fail for it.
            return
        try:
            made = os_vif_of(vif)
            if made is not None:
                os_vif.unplug(made, instance_info(instance))
            else:
                _step(vif, _UNPLUGS, errors.VirtualInterfaceUnplugException)(instance, vif)
        except errors.VirtualInterfaceUnplugException:
            raise
        except Exception as error:
            raise errors.VirtualInterfaceUnplugException(reason=_failure("unplugged", vif, error)) from error


Step = Callable[[Any, Any], None]


def _step(vif: Any, steps: dict[str, Step], doing: type[errors.NovaException]) -> Step:
    try:
        return steps[vif["type"]]
    except KeyError:
        raise vif_types.refuse(vif, doing) from None


def _failure(done: str, vif: Any, error: Exception) -> str:
    why = str(error)
    if isinstance(error, os_vif_errors.NoMatchingPlugin):
        why = f"no os-vif plugin for vif_type={vif['type']} is installed on this host"
    return f"Port {vif['id']} was not {done} ({vif['type']}): {why}"


def _is_multiqueue_tap(instance: Any, vif: Any) -> bool:
    return vif_types.is_tap_made_first(vif) and is_multiqueue(instance.flavor, instance.image_meta)


def _nothing(instance: Any, vif: Any) -> None:
    """libvirt does it all when the guest starts and stops."""


def _plug_bridge(instance: Any, vif: Any) -> None:
    bridge = vif["network"]["bridge"]
    if not bridge:
        raise errors.InternalError(err="its network names no bridge")
    if not (_DEVICES / bridge / "bridge").is_dir():
        privileged.create_bridge(bridge, vif_types.mtu_of(vif) or 0)


def _plug_tap(instance: Any, vif: Any) -> None:
    name = vif_types.device_name(vif)
    wants_queues = is_multiqueue(instance.flavor, instance.image_meta) and (
        instance.image_meta.properties.get("hw_vif_model", "virtio") == "virtio"
    )
    mac = vif["details"].get("mac_address") or ""
    privileged.ensure_tap(name, mac, vif_types.mtu_of(vif) or 0, wants_queues)


def _unplug_tap(instance: Any, vif: Any) -> None:
    name = vif_types.device_name(vif)
    if (_DEVICES / name).exists():
        privileged.delete_tap(name)


def _plug_hw_veb(instance: Any, vif: Any) -> None:
    slot = vif_types.pci_slot(vif)
    if vif["vnic_type"] == "macvtap":
        vlan = int(vif["details"].get("vlan") or 0)
        _set_virtual_function(slot, vif["address"], vlan)
    elif vif["vnic_type"] == "direct" and _is_trusted(vif):
        _trust(slot, True)


def _unplug_hw_veb(instance: Any, vif: Any) -> None:
    slot = vif_types.pci_slot(vif)
    if vif["vnic_type"] == "macvtap":
        # As long as the function keeps the guest's address, its parent sends nothing to that address.
        _set_virtual_function(slot, _NO_MAC, 0)
    elif vif["vnic_type"] == "direct" and "trusted" in (vif["profile"] or {}):
        _trust(slot, False)


def _set_virtual_function(slot: str, mac: str, vlan: int) -> None:
    parent = pci_functions.parent_network_device(slot)
    number = pci_functions.virtual_function_number(slot)
    privileged.set_virtual_function(parent, number, pci_functions.network_device(slot), mac, vlan)


def _is_trusted(vif: Any) -> bool:
    return str((vif["profile"] or {}).get("trusted", "")).lower() in ("true", "1", "yes", "on", "t", "y")


def _trust(slot: str, is_trusted: bool) -> None:
    parent = pci_functions.parent_network_device(slot)
    privileged.trust_virtual_function(parent, pci_functions.virtual_function_number(slot), is_trusted)


def _plug_macvtap(instance: Any, vif: Any) -> None:
    details = vif["details"]
    vlan = details.get("vlan")
    if vlan:
        source, parent = details.get("macvtap_source"), details.get("physical_interface")
        privileged.ensure_vlan(parent or "", source or f"vlan{vlan}", int(vlan))


_PLUGS: Final[dict[str, Step]] = {
    vif_types.BRIDGE: _plug_bridge,
    vif_types.TAP: _plug_tap,
    vif_types.HW_VEB: _plug_hw_veb,
    vif_types.MACVTAP: _plug_macvtap,
    vif_types.HOSTDEV: _nothing,
    vif_types.USER: _nothing,
    vif_types.PROFILE_802_1QBH: _nothing,
}
# A bridge outlives its ports: whoever else has one in it is not asked.
_UNPLUGS: Final[dict[str, Step]] = {
    **dict.fromkeys(_PLUGS, _nothing),
    vif_types.TAP: _unplug_tap,
    vif_types.HW_VEB: _unplug_hw_veb,
}
