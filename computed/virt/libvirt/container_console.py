"""What a container has printed: libvirt keeps no log of it, so the terminal is read and written to one.

The stock agent reads the terminal's device as root. Here libvirt passes on what is in it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.virt.libvirt.codes import Failure

if TYPE_CHECKING:
    from computed.virt.libvirt.guest import Guest

LOG = logging.getLogger(__name__)

_NONBLOCK: Final = 1  # VIR_STREAM_NONBLOCK
_NOTHING_YET: Final = -2
_CHUNK_BYTES: Final = 65536
_MOST_BYTES: Final = 1 << 20
_QUIET_SECONDS: Final = 0.2
_PAUSE_SECONDS: Final = 0.02


def take(guest: Guest, log: Path) -> None:
    """Append what the container has printed since to its log; nothing when it does not run, or somebody else
    has its console open. Raises HypervisorUnavailable, InstanceNotFound, OSError."""
    with guest.connection.lease() as raw:
        printed = _take(guest, raw)
    if printed:
        with log.open("ab") as file:
            file.write(printed)


def _take(guest: Guest, raw: Any) -> bytes:
    connection = guest.connection
    try:
        stream = connection.perform_on(raw, guest.uuid, lambda raw: _open(guest.on(raw)))
    except errors.LibvirtFailed as error:
        if error.code not in (Failure.OPERATION_INVALID, Failure.OPERATION_FAILED):
            LOG.warning("%r: its console cannot be read: %s", guest, error)
        return b""
    try:
        return _read(lambda: connection.perform_on(raw, guest.uuid, lambda raw: stream.recv(_CHUNK_BYTES)))
    finally:
        connection.perform_on(raw, guest.uuid, lambda raw: stream.abort())


def _open(domain: Any) -> Any:
    stream = domain.connect().newStream(_NONBLOCK)
    domain.openConsole(None, stream, 0)
    return stream


def _read(receive: Callable[[], Any]) -> bytes:
    """What there is, until nothing more comes."""
    printed = b""
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < _QUIET_SECONDS and len(printed) < _MOST_BYTES:
        chunk = receive()
        if chunk == _NOTHING_YET:
            time.sleep(_PAUSE_SECONDS)
        elif not chunk:
            break
        else:
            printed += chunk
            quiet_since = time.monotonic()
    return printed
