"""Files of an instance that belong to libvirt or QEMU meanwhile: with our own rights, else with root's."""

from __future__ import annotations

import os
from typing import Final

from computed.virt.libvirt.storage.paths import InstancePaths

CONSOLE_BYTES: Final = 102400
"""How much of a console log is told (contract host_files.json, console_log)."""


def console_tail(paths: InstancePaths, most_bytes: int = CONSOLE_BYTES) -> bytes:
    """The end of an instance's console log; virtlogd makes it so that only root reads it. Empty when there is
    none. Raises OSError."""
    try:
        with paths.console_log.open("rb") as log:
            size = os.fstat(log.fileno()).st_size
            log.seek(max(0, size - most_bytes))
            return log.read(most_bytes)
    except FileNotFoundError:
        return b""
    except PermissionError:
        from computed.privileged import files

        text, _before = files.read_console_log(paths.uuid, most_bytes)
        return text


def make_ours(paths: InstancePaths, name: str) -> None:
    """See that the agent can write a disk (`disk`, `disk.config`...) that no guest uses now: libvirt leaves
    it to root where the file system cannot remember whose it was. Raises OSError."""
    path = paths.disk(name)
    if not os.access(path, os.R_OK | os.W_OK) and path.exists():
        from computed.privileged import files

        files.take_file(paths.uuid, name)
