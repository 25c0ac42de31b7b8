"""The consoles of guests: where QEMU listens for their screens and serial ports."""

from __future__ import annotations

from typing import Any

from computed import errors
from computed.virt.libvirt import serial_ports
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.xml.devices.display import Graphics
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.port.consoles import ConsolePort
from computed.virt.specs import ConsoleAddress


class LibvirtConsoles(LibvirtPart, ConsolePort):
    """QEMU has no MKS consoles. The definition of the running guest says what it listens on."""

    def vnc_console(self, context: Any, instance: Any) -> ConsoleAddress:
        address = self._engine.conf.vnc.server_proxyclient_address
        return screen(self._running(instance), "vnc", address)

    def spice_console(self, context: Any, instance: Any) -> ConsoleAddress:
        address = self._engine.conf.spice.server_proxyclient_address
        return screen(self._running(instance), "spice", address)

    def serial_console(self, context: Any, instance: Any) -> ConsoleAddress:
        return serial(self._running(instance))

    def _running(self, instance: Any) -> Domain:
        domain: Domain = self._engine.connection.guest(instance.uuid).domain()
        return domain


def screen(domain: Domain, kind: str, address: str) -> ConsoleAddress:
    """Where the screen of a guest is; `kind` is vnc or spice, `address` that of this host for the proxies.

    Raises ConsoleTypeUnavailable when the guest has none, ConsoleNotAvailable when nobody listens because the
    guest does not run.
    """
    graphics: Graphics | None = next((each for each in domain.graphics if each.type == kind), None)
    if graphics is None:
        raise errors.ConsoleTypeUnavailable(console_type=kind)
    port, tls_port = _real(graphics.port), _real(graphics.tls_port)
    if port is None and tls_port is None:
        raise errors.ConsoleNotAvailable()
    # A SPICE server may take nothing but TLS; the proxies want some number for the other port all the same.
    return ConsoleAddress(address, port or 0, tls_port=tls_port)


def serial(domain: Domain) -> ConsoleAddress:
    """Where the first serial port of a guest is. Raises ConsoleTypeUnavailable when none can be reached."""
    found = next(serial_ports.listening(domain), None)
    if found is None:
        raise errors.ConsoleTypeUnavailable(console_type="serial")
    return ConsoleAddress(*found)


def _real(port: int | None) -> int | None:
    """A port; -1 and 0 stand for one that is chosen when the guest starts."""
    return port if port is not None and port > 0 else None
