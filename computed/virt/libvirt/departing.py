"""The source's part of a resize or cold migration: the guest is stopped, its disks are kept and sent."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.lib.offload import offload
from computed.states import POWERED_OFF, PowerState
from computed.virt.libvirt import ending
from computed.virt.libvirt.plugs import plug_all, unplug_all
from computed.virt.libvirt.remote_files import RemoteFiles
from computed.virt.libvirt.storage import disk_info, kept
from computed.virt.libvirt.storage.disks import copy_file

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.libvirt.guest import Guest
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


def refuse_shrinking(spec: GuestSpec, flavor: Any) -> None:
    """Raise InstanceFaultRollback around ResizeError when a local disk would have to become smaller."""
    instance = spec.instance
    boots_from_volume = any(disk.boot_index == 0 and disk.source == "volume" for disk in spec.disks)
    ephemerals = sum(disk.size_gib or 0 for disk in spec.disks if disk.source == "blank")
    is_less = flavor.root_gb < instance.flavor.root_gb and not boots_from_volume
    if is_less or flavor.ephemeral_gb < (ephemerals or instance.flavor.ephemeral_gb):
        reason = "the disks of the new flavor are smaller, and disks cannot be made smaller"
        raise errors.InstanceFaultRollback(errors.ResizeError(reason=reason))


class Departure:
    """One guest that leaves its directory for another one, here or on another host."""

    def __init__(self, engine: Engine, spec: GuestSpec, migration: Any) -> None:
        self._engine = engine
        self._spec = spec
        self._paths = engine.paths(spec.instance)
        self._remote = _remote(engine, migration)
        self._is_set_aside = False

    def run(self, timeout_seconds: int) -> str:
        """Stop the guest and have its disks where it goes; what the destination must know of them, as JSON in
        the form of the stock agent's.

        Raises InstanceNotFound, HypervisorUnavailable, InstanceFaultRollback: the guest goes on as before.
        """
        guest = self._engine.connection.guest(self._spec.instance.uuid)
        was = guest.state().power_state
        is_shared = self._reach_destination()
        try:
            self._stop(guest, timeout_seconds)
            disks = self._describe()
            offload(kept.set_aside, self._paths, begin_anew=is_shared)
            # From here on the directory has another name.
            self._is_set_aside = True
            self._send(is_shared)
        except Exception as error:
            if isinstance(error, (errors.HypervisorUnavailable, errors.InstanceNotFound)):
                self._take_files_back(is_shared)
                raise
            self._go_on(guest, was, is_shared)
            raise errors.InstanceFaultRollback(error) from error
        return disks

    def _reach_destination(self) -> bool:
        """Whether the destination sees this directory; if it does not it has got one of its own."""
        if self._remote is None:
            return True
        try:
            # The instance's own directory need not be there: the one above it is.
            if self._remote.shares(self._paths.instances_path):
                return True
            self._remote.make_directory(self._paths.directory)
        except errors.RemoteFilesFailed as error:
            LOG.error("Instance %s cannot be sent: %s", self._spec.instance.uuid, error)
            raise errors.InstanceFaultRollback(errors.ResizeError(reason=str(error))) from error
        return False

    def _stop(self, guest: Guest, timeout_seconds: int) -> None:
        retry = self._engine.conf.compute.shutdown_retry_interval
        if not (timeout_seconds and ending.ask_to_stop(guest, timeout_seconds, retry)):
            ending.stop(guest)
        # Memory that was saved for a guest of the old size must not be woken in the new one.
        guest.drop_managed_save()
        unplug_all(self._engine, self._spec)

    def _describe(self) -> str:
        """Raises InvalidDiskInfo, DiskInfoReadWriteFail."""
        found = []
        for path in sorted(self._paths.directory.glob("disk*")):
            disk_format = disk_info.format_of(self._paths.disk_info, path)
            if disk_format is None or not path.is_file():
                continue
            info = self._engine.tool.info(path, disk_format)
            found.append(
                {
                    "type": disk_format,
                    "path": str(path),
                    "virt_disk_size": info.virtual_size_bytes,
                    "backing_file": (info.backing_file or "").rpartition("/")[2],
                    "disk_size": info.actual_size_bytes,
                    "over_committed_disk_size": max(info.virtual_size_bytes - info.actual_size_bytes, 0),
                }
            )
        return json.dumps(found)

    def _send(self, is_shared: bool) -> None:
        formats = disk_info.read(self._paths.resize_directory / self._paths.disk_info.name)
        for path in kept.to_send(self._paths):
            target = self._paths.directory / path.name
            if is_shared or self._remote is None:
                copy_file(path, target)
            else:
                self._remote.send(path, target, file_format=formats.get(str(target)))
        if is_shared:
            kept.finished(self._paths)

    def _go_on(self, guest: Guest, was: int, is_shared: bool) -> None:
        """Have the guest as it was; raises what keeps it from that."""
        self._take_files_back(is_shared)
        plug_all(self._engine, self._spec)
        if was not in POWERED_OFF and not guest.is_active():
            guest.start(paused=was == PowerState.PAUSED)

    def _take_files_back(self, is_shared: bool) -> None:
        # Before, a directory by the name of what is kept is that of an older resize, and the one in use the
        # guest's own.
        if self._is_set_aside:
            kept.give_back(self._paths)
        if self._remote is None or is_shared:
            return
        try:
            self._remote.remove_directory(self._paths.directory)
        except errors.RemoteFilesFailed as error:
            LOG.error("%s is left on the destination, remove it there: %s", self._paths.directory, error)


def _remote(engine: Engine, migration: Any) -> RemoteFiles | None:
    """The destination, unless it is this host."""
    own = {engine.conf.my_ip, engine.conf.libvirt.migration_inbound_addr}
    if migration.source_compute == migration.dest_compute or migration.dest_host in own:
        return None
    return RemoteFiles(migration.dest_host, engine.conf.libvirt.remote_filesystem_transport)
