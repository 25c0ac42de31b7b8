"""Where a driver's guests have their consoles."""

from __future__ import annotations

from typing import Any

from computed.virt.specs import ConsoleAddress


class ConsolePort:
    """Addresses of consoles, as a proxy reaches them; NotImplementedError for a kind that there is none of.

    All raise InstanceNotFound, ConsoleTypeUnavailable and ConsoleNotAvailable.
    """

    def vnc_console(self, context: Any, instance: Any) -> ConsoleAddress:
        """Where the guest's VNC server listens."""
        raise NotImplementedError

    def spice_console(self, context: Any, instance: Any) -> ConsoleAddress:
        """Where the guest's SPICE server listens, in the clear and with TLS."""
        raise NotImplementedError

    def serial_console(self, context: Any, instance: Any) -> ConsoleAddress:
        """Where the guest's first serial port can be reached."""
        raise NotImplementedError

    def mks_console(self, context: Any, instance: Any) -> ConsoleAddress:
        """Where the guest's screen can be reached with the MKS protocol."""
        raise NotImplementedError
