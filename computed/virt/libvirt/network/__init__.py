"""The network side of guests: what an interface looks like to libvirt, and how it gets into a switch."""

from computed.virt.libvirt.network.interface import devices, host_device, interface, is_host_device
from computed.virt.libvirt.network.plugging import Plugger
from computed.virt.libvirt.network.wishes import InterfaceOptions, InterfaceWishes, wishes_of

__all__ = [
    "InterfaceOptions",
    "InterfaceWishes",
    "Plugger",
    "devices",
    "host_device",
    "interface",
    "is_host_device",
    "wishes_of",
]
