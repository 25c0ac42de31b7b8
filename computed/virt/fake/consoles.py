"""Consoles of guests that only exist in memory: addresses at which nobody listens."""

from __future__ import annotations

import uuid
from typing import Any, Final

from computed.virt.fake.memory import Memory
from computed.virt.port.consoles import ConsolePort
from computed.virt.specs import ConsoleAddress

_PORT: Final = 6969
_TLS_PORT: Final = 6970


class FakeConsoles(Memory, ConsolePort):
    """Every guest has every kind of console."""

    def vnc_console(self, context: Any, instance: Any) -> ConsoleAddress:
        return self._address("vnc", instance)

    def spice_console(self, context: Any, instance: Any) -> ConsoleAddress:
        return self._address("spice", instance, _TLS_PORT)

    def serial_console(self, context: Any, instance: Any) -> ConsoleAddress:
        return self._address("serial", instance)

    def mks_console(self, context: Any, instance: Any) -> ConsoleAddress:
        return self._address("mks", instance)

    def _address(self, kind: str, instance: Any, tls_port: int | None = None) -> ConsoleAddress:
        with self._changing(f"{kind}_console", instance) as guest:
            path = str(uuid.uuid5(uuid.UUID(guest.uuid), kind))
        return ConsoleAddress(f"fake{kind}console.com", _PORT, path, tls_port)
