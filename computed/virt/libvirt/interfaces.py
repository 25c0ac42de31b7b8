"""Interfaces of guests that exist: given and taken, running or not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.virt.libvirt import device_tags
from computed.virt.libvirt.design.identity import meta_port
from computed.virt.libvirt.detaching import DetachPatience, detach, is_running
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.xml.devices.board import HostDevice
from computed.virt.libvirt.xml.devices.interface import Interface
from computed.virt.port.interfaces import InterfacePort
from computed.virt.specs import GuestSpec

if TYPE_CHECKING:
    from computed.virt.libvirt.guest import Guest
    from computed.virt.libvirt.xml.domain import Domain
    from computed.virt.libvirt.xml.metadata import MetaPort

LOG = logging.getLogger(__name__)


class LibvirtInterfaces(LibvirtPart, InterfacePort):
    """Implements InterfacePort: what a running guest gets, it starts with the next time too."""

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        """See InterfacePort; on failure nothing is left plugged. Raises InterfaceAttachFailed."""
        guest = self._engine.connection.guest(instance.uuid)
        device = self._engine.plugger.interface(instance, image_meta, vif)
        if _finder(device)(guest.domain()) is not None:
            # What is plugged already belongs to the interface that the guest has: nothing is undone.
            LOG.warning("Instance %s already has an interface for port %s", instance.uuid, vif["id"])
            raise errors.InterfaceAttachFailed(instance_uuid=instance.uuid)
        try:
            self._engine.plugger.plug(instance, vif)
            guest.attach(device.to_xml(), live=is_running(guest), persistent=guest.is_persistent())
        except Exception as error:
            LOG.warning("Instance %s: port %s cannot be attached: %s", instance.uuid, vif["id"], error)
            self._unplug_quietly(instance, vif)
            raise errors.InterfaceAttachFailed(instance_uuid=instance.uuid) from error
        self._note_tagged_device(context, guest, instance, vif)
        _tell(guest, vif["id"], [meta_port(vif)])

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        """See InterfacePort; a guest that keeps the interface stays plugged."""
        guest = self._engine.connection.guest(instance.uuid)
        device = self._engine.plugger.interface(instance, instance.image_meta, vif)
        patience = DetachPatience.of(self._engine.conf)
        try:
            detach(guest, self._engine.events, f"port {vif['id']}", _finder(device), patience)
        except errors.DeviceNotFound:
            LOG.warning("Instance %s has no interface for port %s any more", instance.uuid, vif["id"])
        except (errors.DeviceDetachFailed, errors.LibvirtFailed) as error:
            LOG.warning("Instance %s keeps the interface of port %s: %s", instance.uuid, vif["id"], error)
            raise errors.InterfaceDetachFailed(instance_uuid=instance.uuid) from error
        # Only now: as long as the guest has it, libvirt holds the device that unplugging removes.
        self._unplug_quietly(instance, vif)
        _tell(guest, vif["id"], [])

    def inject_network_info(self, instance: Any, network_info: Any) -> None:
        """A guest of this kind asks DHCP, or has read its config drive; nothing reaches into it."""

    def _note_tagged_device(self, context: Any, guest: Guest, instance: Any, vif: Any) -> None:
        """Where in the guest it is, if its owner has tagged it; whoever ordered it saves the instance."""
        try:
            spec = GuestSpec(instance, instance.image_meta, [vif])
            tags = self._engine.collaborators.interface_tags(context, spec)
            of_port = {mac: tag for mac, tag in tags.items() if mac == vif["address"]}
            made = device_tags.describe(guest.domain(), spec, of_port)
            if made is not None:
                instance.load("device_metadata")
                known = instance.device_metadata.devices if instance.device_metadata is not None else []
                others = [device for device in known if getattr(device, "mac", None) != vif["address"]]
                made.devices = [*others, *made.devices]
                instance.device_metadata = made
        except Exception as error:
            LOG.warning("Instance %s: port %s cannot be described: %s", instance.uuid, vif["id"], error)
            self.detach_interface(context, instance, vif)
            raise errors.InterfaceAttachFailed(instance_uuid=instance.uuid) from error

    def _unplug_quietly(self, instance: Any, vif: Any) -> None:
        try:
            self._engine.plugger.unplug(instance, vif)
        except errors.VirtualInterfaceUnplugException as error:
            LOG.warning("Instance %s: %s; what is left of it must be removed by hand", instance.uuid, error)


def _finder(wanted: Interface | HostDevice) -> Callable[[Domain], Interface | HostDevice | None]:
    """Finds the device of a port in a definition: an interface by its address, a bare function by its own."""

    def find(domain: Domain) -> Interface | HostDevice | None:
        if isinstance(wanted, HostDevice):
            slot = _slot(wanted)
            return next((found for found in domain.host_devices if _slot(found) == slot), None)
        return next((found for found in domain.interfaces if _is_same(found, wanted)), None)

    return find


def _slot(device: HostDevice) -> tuple[str | None, ...]:
    source = device.source
    return (source.domain, source.bus, source.slot, source.function) if source is not None else ()


def _is_same(found: Interface, wanted: Interface) -> bool:
    """Whether libvirt speaks of the interface that we do; what is not said in `wanted` libvirt has chosen."""
    # libvirt names the devices of some kinds by itself, and leaves out the names of others.
    is_unnamed = wanted.target_dev is None or wanted.type == "vhostuser" or found.target_dev is None
    return (
        (found.mac or "").lower() == (wanted.mac or "").lower()
        and found.type == wanted.type
        and (is_unnamed or found.target_dev == wanted.target_dev)
    )


def _tell(guest: Guest, port_id: str, ports: list[MetaPort]) -> None:
    """Put `ports` in the place of the port in what other programs on the host can read of the guest; it goes
    on without."""
    try:
        live, persistent = is_running(guest), guest.is_persistent()
        told = guest.domain(inactive=persistent).metadata
        if told is not None:
            told.ports = [port for port in told.ports if port.uuid != port_id] + ports
            guest.set_metadata(told.to_xml(), live=live, persistent=persistent)
    except errors.LibvirtFailed as error:
        LOG.warning("Guest %s: its metadata was not changed: %s", guest.uuid, error)
