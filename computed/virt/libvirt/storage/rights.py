"""Files of an instance that belong to libvirt or QEMU meanwhile: with our own rights, else with root's."""

from __future__ import annotations

import os

from computed.lib.offload import offload
from computed.virt.libvirt.console_log import tail_of
from computed.virt.libvirt.storage.paths import InstancePaths


def read_tail(paths: InstancePaths, name: str, most_bytes: int) -> bytes:
    """The end of a console log of an instance; those that virtlogd makes only root reads. Raises OSError.

    Not for a call that is offloaded already: the way to root needs threads of our own kind.
    """
    try:
        return offload(tail_of, paths.disk(name), most_bytes)
    except PermissionError:
        from computed.privileged import files

        return files.read_console_log(paths.uuid, name, most_bytes)


def make_ours(paths: InstancePaths, name: str) -> None:
    """See that the agent can write a disk (`disk`, `disk.config`...) that no guest uses now: libvirt leaves
    it to root where the file system cannot remember whose it was. Raises OSError."""
    path = paths.disk(name)
    if not os.access(path, os.R_OK | os.W_OK) and path.exists():
        from computed.privileged import files

        files.take_file(paths.uuid, name)
