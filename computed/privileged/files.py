"""Files of instances that libvirt, virtlogd or QEMU own: read, or given back to the agent.

Which directory holds instances is read here, from the configuration that only root can change; a caller says
which instance and which of its files. Nothing that is a link, or has a second name elsewhere, is touched.
Errors are OSError and ValueError.
"""

from __future__ import annotations

import os
import re
import stat
import uuid as uuid_module
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from computed.conf import CONF
from computed.privileged import files_context, runs_in

_CONSOLE_LOG: Final = re.compile(r"console\.log(\.\d{1,3})?", re.ASCII)
_MOST_BYTES: Final = 1 << 20


@runs_in(files_context)
def read_console_log(uuid: str, name: str, most_bytes: int) -> bytes:
    """The last `most_bytes`, at most 1 MiB, of a console log of an instance: `console.log`, or one that
    virtlogd has put aside (`console.log.0`...)."""
    if not _CONSOLE_LOG.fullmatch(name):
        raise ValueError(f"{name!r} is not a console log")
    if not isinstance(most_bytes, int) or most_bytes < 0:
        raise ValueError(f"{most_bytes!r} is not a number of bytes")
    with _file(uuid, name) as (file, _directory):
        size = os.fstat(file).st_size
        wanted = min(most_bytes, _MOST_BYTES, size)
        return os.pread(file, wanted, size - wanted)


@runs_in(files_context)
def take_file(uuid: str, name: str) -> None:
    """Give a file of an instance to whom its directory belongs: the agent, which made it."""
    with _file(uuid, name) as (file, directory):
        owner = os.fstat(directory)
        os.fchown(file, owner.st_uid, owner.st_gid)


@contextmanager
def _file(uuid: str, name: str) -> Iterator[tuple[int, int]]:
    """(a regular file of an instance, open for reading; the directory of the instance)."""
    if str(uuid_module.UUID(uuid)) != uuid:
        raise ValueError(f"{uuid!r} is not a canonical UUID")
    if not name or name != os.path.basename(name) or name in (".", "..") or "\0" in name:
        raise ValueError(f"{name!r} is not the name of a file")
    opened: list[int] = []
    try:
        # The directory of all instances may be reached by a link, as operators like it; nothing below may.
        opened.append(os.open(CONF.instances_path, os.O_PATH | os.O_DIRECTORY))
        opened.append(os.open(uuid, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[0]))
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        opened.append(os.open(name, flags, dir_fd=opened[1]))
        _, directory, file = opened
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise ValueError(f"{name} of instance {uuid} is not a file of this instance alone")
        yield file, directory
    finally:
        for each in opened:
            os.close(each)
