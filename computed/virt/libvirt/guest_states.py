"""Looking at guests: the part of the driver behind StatePort."""

from __future__ import annotations

from typing import Any

from computed import errors
from computed.virt.libvirt import console_log, container_console
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.storage import rights
from computed.virt.port.guests import StatePort
from computed.virt.specs import GuestState


class LibvirtStates(LibvirtPart, StatePort):
    """One guest; the host side knows of all of them in one call."""

    def state(self, instance: Any) -> GuestState:
        return self._engine.connection.guest(instance.uuid).state()

    def console_output(self, context: Any, instance: Any) -> bytes:
        guest = self._engine.connection.guest(instance.uuid)
        paths = self._engine.paths(instance)
        if self._engine.options.virt_type == "lxc":
            container_console.take(guest, paths.console_log)
        try:
            return console_log.read(
                paths.console_log, read_tail=lambda path, most: rights.read_tail(paths, path.name, most)
            )
        except OSError as error:
            raise errors.ConsoleNotAvailable() from error

    def has_disks_of(self, instance: Any) -> bool:
        paths = self._engine.paths(instance)
        # What a deletion could not remove is there under another name.
        return paths.directory.exists() or paths.deleted_directory.exists()
