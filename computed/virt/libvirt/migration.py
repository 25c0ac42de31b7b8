"""Resize and cold migration: the part of the driver behind MigrationPort."""

from __future__ import annotations

import logging
from typing import Any, Final

from computed import errors
from computed.lib.offload import offload
from computed.virt.libvirt import ending
from computed.virt.libvirt.arriving import Arrival
from computed.virt.libvirt.departing import Departure, refuse_shrinking
from computed.virt.libvirt.drafting import plan_disks, refuse_tpm
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.files import GuestFiles
from computed.virt.libvirt.plugs import unplug_all
from computed.virt.libvirt.reboots import Renewal
from computed.virt.libvirt.storage import disk_info, kept
from computed.virt.libvirt.storage.plan import local_disks
from computed.virt.port.migration import MigrationPort
from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)

_CONTAINER: Final = "lxc"


class LibvirtMigration(LibvirtPart, MigrationPort):
    """The guest is renewed around disks that were copied; the source keeps the old ones beside them."""

    def has_volumes(self, instance: Any) -> bool:
        try:
            domain = self._engine.connection.guest(instance.uuid).domain(inactive=True)
        except errors.InstanceNotFound:
            return True
        own = self._engine.paths(instance).directory
        files = (disk.source.file if disk.source is not None else None for disk in domain.disks)
        return any(file is None or not file.startswith(f"{own}/") for file in files)

    def migrate_disk_and_power_off(
        self, context: Any, spec: GuestSpec, migration: Any, flavor: Any, *, timeout_seconds: int
    ) -> str | None:
        if self._engine.options.virt_type == _CONTAINER:
            reason = "containers cannot be resized or moved yet"
            raise errors.InstanceFaultRollback(errors.MigrationPreCheckError(reason=reason))
        refuse_shrinking(spec, flavor)
        try:
            refuse_tpm(spec)
        except errors.Invalid as error:
            raise errors.InstanceFaultRollback(error) from error
        return Departure(self._engine, spec, migration).run(timeout_seconds)

    def finish_migration(
        self, context: Any, spec: GuestSpec, migration: Any, disk_info: str | None, *, resize_disks: bool
    ) -> None:
        engine = self._engine
        if migration.source_compute == migration.dest_compute:
            GuestFiles(engine, context, spec).have_bases()
        else:
            Arrival(engine, context, spec, migration.source_compute).have_bases()
            self._adapt_formats(spec)
        if resize_disks:
            self._grow(spec)
        Renewal(engine, context, spec).run()

    def confirm_migration(self, context: Any, spec: GuestSpec, migration: Any) -> None:
        if migration.source_compute != migration.dest_compute:
            # The guest lives on another host: what is defined here is its shell.
            ending.end(self._engine, spec.instance, keep_nvram=False)
            unplug_all(self._engine, spec)
        offload(kept.drop, self._engine.paths(spec.instance))

    def finish_revert_migration(self, context: Any, spec: GuestSpec, migration: Any) -> None:
        paths = self._engine.paths(spec.instance)
        # Without a migration nobody can tell of which resize the kept files are. Then they count only if the
        # ones in use were not complete yet.
        if migration is not None or not kept.is_whole(paths):
            guest = ending.find(self._engine, spec.instance.uuid)
            if guest is not None:
                ending.stop(guest)
            offload(kept.give_back, paths)
        Renewal(self._engine, context, spec).run()

    def _grow(self, spec: GuestSpec) -> None:
        """Make local disks as large as the flavor says; those that are missing are made by the renewal."""
        engine = self._engine
        paths = engine.paths(spec.instance)
        for disk in local_disks(plan_disks(engine, spec)):
            if disk.path is None or disk.size_bytes is None or not disk.path.exists():
                continue
            if engine.disks.grow(paths, disk.path, disk.size_bytes):
                LOG.info("Disk %s has grown to %d bytes", disk.path, disk.size_bytes)

    def _adapt_formats(self, spec: GuestSpec) -> None:
        """Convert raw disks that have come to a host of qcow2 disks: a stock agent that takes this host over
        takes all its disks for qcow2, whatever is recorded."""
        engine = self._engine
        if engine.options.storage.local_format != "qcow2":
            return
        paths = engine.paths(spec.instance)
        for disk in local_disks(plan_disks(engine, spec)):
            if disk.path is not None and disk_info.format_of(paths.disk_info, disk.path) == "raw":
                engine.disks.convert(paths, disk.path, "qcow2")
