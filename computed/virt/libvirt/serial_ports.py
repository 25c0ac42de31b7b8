"""Which TCP ports of this host the serial consoles of guests listen on."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from typing import Final

from computed import errors
from computed.virt.libvirt.xml.domain import Domain

LOG = logging.getLogger(__name__)

_DEFAULT_RANGE: Final = (10000, 20000)


def parse_range(text: str) -> tuple[int, int]:
    """[serial_console]port_range, FIRST:LAST, the last one excluded; the default for one that is empty."""
    first, last = (int(number) for number in text.split(":"))
    if first < last:
        return first, last
    LOG.warning("[serial_console]port_range = %s is empty; %d:%d is used", text, *_DEFAULT_RANGE)
    return _DEFAULT_RANGE


class SerialPorts:
    """Gives out ports of `address` in a range, each to one guest at a time."""

    def __init__(self, address: str, port_range: tuple[int, int]) -> None:
        self._address = address
        self._range = port_range
        self._lock = threading.Lock()
        self._given: dict[str, tuple[int, ...]] = {}

    def of(self, uuid: str, count: int) -> tuple[int, ...]:
        """`count` ports for a guest: those that it has, and others at which nobody listens.

        Raises SocketPortRangeExhaustedException.
        """
        with self._lock:
            found = list(self._given.get(uuid, ()))
            taken = {port for ports in self._given.values() for port in ports}
            for port in range(*self._range):
                if len(found) >= count:
                    break
                if port not in taken and self._is_free(port):
                    found.append(port)
            if len(found) < count:
                raise errors.SocketPortRangeExhaustedException(host=self._address)
            if found:
                self._given[uuid] = tuple(found)
            return tuple(found[:count])

    def release(self, uuid: str) -> None:
        """The guest is gone: others may have its ports."""
        with self._lock:
            self._given.pop(uuid, None)

    def _is_free(self, port: int) -> bool:
        """Whether nobody listens there: a guest of before our start, or another program."""
        try:
            with socket.socket() as probe:
                probe.bind((self._address, port))
        except OSError as error:
            LOG.debug("Port %d of %s is in use: %s", port, self._address, error)
            return False
        return True


def listening(domain: Domain) -> Iterator[tuple[str, int]]:
    """Address and port of each serial port of a guest that can be reached over TCP, in their order."""
    for serial in domain.serials:
        if serial.type == "tcp" and serial.source_mode == "bind" and serial.source_service:
            yield serial.source_host or "", int(serial.source_service)
