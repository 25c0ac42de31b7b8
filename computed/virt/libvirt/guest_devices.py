"""What is put into, taken out of and changed in the definition of a guest, running or not."""

from __future__ import annotations

import libvirt

from computed.virt.libvirt.guest_handle import GuestHandle
from computed.virt.libvirt.xml.element import NAMESPACES


def scope(*, live: bool, persistent: bool) -> int:
    """libvirt's flags for the running guest, its definition, or both."""
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE if live else 0
    return int(flags | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if persistent else 0))


class GuestDevices(GuestHandle):
    """Devices and metadata; `live` means the running guest, `persistent` its definition."""

    def attach(self, device_xml: str, *, live: bool, persistent: bool) -> None:
        """Give the guest a device."""
        self.call("attachDeviceFlags", device_xml, scope(live=live, persistent=persistent))

    def detach(self, device_xml: str, *, live: bool, persistent: bool) -> None:
        """Ask for a device back. Of a running guest it is gone only when `Events` says so; raises
        LibvirtFailed DEVICE_MISSING (OPERATION_FAILED, INVALID_ARG of older ones) when it is not there."""
        self.call("detachDeviceFlags", device_xml, scope(live=live, persistent=persistent))

    def set_metadata(self, xml: str, *, live: bool = True, persistent: bool = True) -> None:
        """Put our <nova:instance> in the place of the one that is there."""
        flags = scope(live=live, persistent=persistent)
        kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
        self.call("setMetadata", kind, xml, "instance", NAMESPACES["nova"], flags)
