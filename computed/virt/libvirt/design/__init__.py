"""What a guest is: an ordered list of small designers over frozen data."""

from computed.virt.libvirt.design.consoles import serial_port_count
from computed.virt.libvirt.design.designers import guest_domain
from computed.virt.libvirt.design.machine import machine_for
from computed.virt.libvirt.design.request import DesignOptions, GuestRequest, HostFacts

__all__ = ["DesignOptions", "GuestRequest", "HostFacts", "guest_domain", "machine_for", "serial_port_count"]
