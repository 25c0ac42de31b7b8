"""Guests that boot from a rescue image: their own definition is kept beside their disks until they are back.

`unrescue.xml` and the files `*.rescue` are where the stock agent has them: each can end what the other began.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.lib.undo import undo_on_error
from computed.virt.libvirt import ending
from computed.virt.libvirt.design import guest_domain
from computed.virt.libvirt.design.request import DirectBoot
from computed.virt.libvirt.drafting import (
    KERNEL,
    RAMDISK,
    refuse_tpm,
    refuse_volumes,
    request,
    storage_options,
)
from computed.virt.libvirt.drives import make_config_drive
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.files import disk_order
from computed.virt.libvirt.plugs import plug_all
from computed.virt.libvirt.starting import start
from computed.virt.libvirt.storage import disk_info
from computed.virt.libvirt.storage.paths import RESCUE_SUFFIX, InstancePaths
from computed.virt.libvirt.storage.plan import DiskPlan, rescue_plan
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.port.rescue import RescuePort
from computed.virt.specs import GuestSpec, RescueSpec

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.libvirt.guest import Guest

LOG = logging.getLogger(__name__)

_CONTAINER: Final = "lxc"


class LibvirtRescue(LibvirtPart, RescuePort):
    """A guest is rescued as long as the file with its own definition is there."""

    @property
    def rescue_image_id(self) -> str | None:
        chosen: str | None = self._engine.conf.libvirt.rescue_image_id
        return chosen

    def rescue(self, context: Any, spec: RescueSpec) -> None:
        _Rescue(self._engine, context, spec).run()

    def is_rescued(self, instance: Any) -> bool:
        guest = ending.find(self._engine, instance.uuid)
        return guest is not None and self._engine.paths(instance).unrescue_xml.exists()

    def unrescue(self, context: Any, instance: Any) -> None:
        engine = self._engine
        paths = engine.paths(instance)
        guest = engine.connection.guest(instance.uuid)
        try:
            own_xml = paths.unrescue_xml.read_text(encoding="utf-8")
        except FileNotFoundError:
            LOG.info("Instance %s is not rescued", instance.uuid)
        else:
            ending.stop(guest)
            guest.drop_managed_save()
            guest = engine.connection.define(own_xml)
            # Before it starts: whatever happens then, it is not rescued any more.
            paths.unrescue_xml.unlink()
            _remove_rescue_files(engine, paths)
        if not guest.is_active():
            spec = GuestSpec(instance, None, instance.get_network_info())
            plug_all(engine, spec)
            start(engine, guest, spec)


class _Rescue:
    """One rescue. When it fails the guest is stopped and defined as before, and no rescue file is left."""

    def __init__(self, engine: Engine, context: Any, spec: RescueSpec) -> None:
        self._engine = engine
        self._context = context
        self._spec = spec
        self._guest = spec.guest
        self._paths = engine.paths(spec.guest.instance)
        # As the stock agent: without stable devices the machine is what the rescue image asks for.
        is_stable = spec.is_stable
        self._designed = spec.guest if is_stable else replace(spec.guest, image_meta=spec.image_meta)

    def run(self) -> None:
        """Raises InstanceNotFound, UnsupportedRescueDevice, UnsupportedRescueBus, InstanceNotRescuable, what
        disks, designers and starting raise."""
        engine = self._engine
        if engine.options.virt_type == _CONTAINER:
            raise errors.InstanceNotRescuable(
                instance_id=self._paths.uuid, reason="a container cannot be rescued"
            )
        guest = engine.connection.guest(self._paths.uuid)
        own_xml = self._own_xml(guest)
        # What cannot be is refused before anything is made.
        self._draft(own_xml)
        with undo_on_error() as undo:
            undo.push("remove the files of the rescue", lambda: self._take_files_back(own_xml))
            self._make_files()
            _write_private(self._paths.unrescue_xml, own_xml)
            domain = self._draft(own_xml)
            ending.stop(guest)
            guest.drop_managed_save()
            plug_all(engine, self._guest)
            start(engine, engine.connection.define(domain.to_xml()), self._guest)

    def _own_xml(self, guest: Guest) -> str:
        """The guest's own definition; of one that is rescued already, for a message may come twice, that from
        before the first time."""
        if self._paths.unrescue_xml.exists():
            return self._paths.unrescue_xml.read_text(encoding="utf-8")
        return guest.xml(inactive=True, secure=True)

    def _disks(self) -> tuple[DiskPlan, ...]:
        if self._spec.is_stable:
            refuse_volumes(self._guest)
        planned = rescue_plan(self._spec, storage_options(self._engine, self._designed), self._paths)
        recorded = disk_info.read(self._paths.disk_info)
        return tuple(replace(disk, format=recorded.get(str(disk.path), disk.format)) for disk in planned)

    def _draft(self, own_xml: str) -> Domain:
        refuse_tpm(self._guest)
        asked = request(
            self._engine,
            self._designed,
            self._disks(),
            old=Domain.from_xml(own_xml) if self._spec.is_stable else None,
        )
        return guest_domain(replace(asked, direct_boot=self._direct_boot()))

    def _direct_boot(self) -> DirectBoot | None:
        kernel, ramdisk = self._kernel_images()
        if not kernel:
            return None
        initrd = self._paths.disk(RAMDISK + RESCUE_SUFFIX) if ramdisk else None
        return DirectBoot(self._paths.disk(KERNEL + RESCUE_SUFFIX), initrd)

    def _kernel_images(self) -> tuple[str | None, str | None]:
        """The images of kernel and RAM disk: as configured, or those of the instance."""
        options, instance = self._engine.conf.libvirt, self._guest.instance
        kernel = options.rescue_kernel_id or instance.kernel_id or None
        return kernel, options.rescue_ramdisk_id or instance.ramdisk_id or None

    def _make_files(self) -> None:
        engine = self._engine
        order = disk_order(engine, self._context, self._guest)
        for image_id, name in zip(self._kernel_images(), (KERNEL, RAMDISK), strict=True):
            if image_id:
                engine.disks.fetch_plain(image_id, name + RESCUE_SUFFIX, order)
        disks = self._disks()
        engine.disks.create([disk for disk in disks if disk.kind == "rescue"], order)
        drive = self._paths.config_drive(is_rescue=True)
        if any(disk.path == drive for disk in disks):
            told = replace(self._guest, admin_password=self._spec.admin_password, injected_files=())
            make_config_drive(engine, told, drive)

    def _take_files_back(self, own_xml: str) -> None:
        """Nothing of the rescue is left when libvirt knows the guest's own definition again."""
        guest = ending.find(self._engine, self._paths.uuid)
        if guest is not None:
            ending.stop(guest)
            self._engine.connection.define(own_xml)
        self._paths.unrescue_xml.unlink(missing_ok=True)
        _remove_rescue_files(self._engine, self._paths)


def _remove_rescue_files(engine: Engine, paths: InstancePaths) -> None:
    for path in paths.directory.glob(f"*{RESCUE_SUFFIX}"):
        engine.disks.remove(paths, path)


def _write_private(path: Path, text: str) -> None:
    """Write a file that holds secrets of the guest's consoles; whole, or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.rename(path)
