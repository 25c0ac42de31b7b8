"""The files of one guest: made, made again where one is missing, and taken back."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.lib.offload import offload
from computed.virt.libvirt.drafting import KERNEL, RAMDISK, plan_disks
from computed.virt.libvirt.drives import make_config_drive
from computed.virt.libvirt.storage import disk_info
from computed.virt.libvirt.storage.disks import DiskOrder
from computed.virt.libvirt.storage.paths import InstancePaths
from computed.virt.libvirt.storage.plan import local_disks

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.libvirt.storage.plan import DiskPlan
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


class GuestFiles:
    """The directory of an instance, and how to bring it back to what it was."""

    def __init__(self, engine: Engine, context: Any, spec: GuestSpec) -> None:
        self._engine = engine
        self._context = context
        self._spec = spec
        self.paths: InstancePaths = engine.paths(spec.instance)
        self._before = _names_in(self.paths.directory)

    def make_disks(self) -> None:
        """Make the local disks, kernel and RAM disk that are not there, from the instance's image.

        Raises what Disks.create raises (ImageUnacceptable, FlavorDiskSmallerThanImage, ImageNotFound...).
        """
        engine, instance = self._engine, self._spec.instance
        order = disk_order(engine, self._context, self._spec)
        for image_id, name in ((instance.kernel_id, KERNEL), (instance.ramdisk_id, RAMDISK)):
            if image_id:
                engine.disks.fetch_plain(image_id, name, order)
        engine.disks.create(plan_disks(engine, self._spec), order)
        self._have_console_log()

    def refuse_old_files(self) -> None:
        """Raise InstanceDeployFailure when there are files already: what a rebuild could not remove is not
        taken for the new guest's."""
        if self._before:
            names = ", ".join(sorted(self._before))
            reason = f"{names} in {self.paths.directory} are still there from before"
            raise errors.InstanceDeployFailure(reason=reason)

    def refuse_lost_disks(self) -> None:
        """Raise DiskNotFound when what the guest has written is not here: a storage that is not mounted comes
        back, and nothing must have been made in its place. An ephemeral disk that is new is in no record."""
        recorded = disk_info.read(self.paths.disk_info)
        for disk in plan_disks(self._engine, self._spec):
            if disk.path is None or disk.path.exists():
                continue
            if disk.kind == "root" or (disk.kind == "ephemeral" and str(disk.path) in recorded):
                LOG.error("Instance %s is not started: %s is gone", self.paths.uuid, disk.path)
                raise errors.DiskNotFound(location=str(disk.path))

    def have_bases(self) -> None:
        """Fetch images again whose disks lie on files that have vanished; swap is left to `renew_swap`.

        Raises what Disks.restore_base raises, and DiskNotFound for the base of an ephemeral disk: one that is
        made anew is another file system.
        """
        for disk, path in self._without_base():
            if disk.kind == "ephemeral":
                base = self._engine.disks.info(self.paths, path).backing_file
                where = f"{base}, on which {path} lies"
                LOG.error("Instance %s is not started: bring back %s", self.paths.uuid, where)
                raise errors.DiskNotFound(location=where)
            # A source asks the image service: only where it is needed.
            if disk.kind == "root" and disk.image_id:
                source = self._engine.images.source_of(self._context, disk.image_id)
                self._engine.disks.restore_base(self.paths, path, source)

    def renew_swap(self) -> None:
        """Remove the swap disk of a guest that does not run when its base has vanished: nothing in there
        outlives a start, so `make_disks` makes both anew. Raises what Disks.remove raises."""
        for disk, path in self._without_base():
            if disk.kind == "swap":
                LOG.warning("The base of swap disk %s has vanished: both are made anew", path)
                self._engine.disks.remove(self.paths, path)

    def _without_base(self) -> Iterator[tuple[DiskPlan, Path]]:
        """The local disks whose base has vanished. Raises what Disks.info raises."""
        recorded = disk_info.read(self.paths.disk_info)
        for disk in local_disks(plan_disks(self._engine, self._spec)):
            if disk.path is None or not disk.path.exists():
                continue
            # Without a record nobody can look; what has the guest's system on it must have one.
            is_known = disk.kind == "root" or str(disk.path) in recorded
            if is_known and self._engine.disks.lacks_base(self.paths, disk.path):
                yield disk, disk.path

    def make_config_drive(self, plan: DiskPlan | None, *, only_if_missing: bool = False) -> None:
        """Write the config drive, if there is to be one. Raises what make_config_drive raises."""
        if plan is None or plan.path is None or (only_if_missing and plan.path.exists()):
            return
        make_config_drive(self._engine, self._spec, plan.path)

    def _have_console_log(self) -> None:
        # Made by us, so that we can read it: virtlogd would make it readable for root only, and has done so
        # when there is one that is not ours.
        with contextlib.suppress(FileExistsError):
            self.paths.console_log.touch(mode=0o644, exist_ok=False)

    def take_back(self) -> None:
        """Remove what was not there before. Raises OSError."""
        if self._before is None:
            offload(self.paths.remove)
            return
        for name in (_names_in(self.paths.directory) or frozenset()) - self._before:
            path = self.paths.directory / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def disk_order(engine: Engine, context: Any, spec: GuestSpec) -> DiskOrder:
    """What the disks of a guest are made from; nothing is read yet."""
    return DiskOrder(
        paths=engine.paths(spec.instance),
        source_of=lambda image_id: engine.images.source_of(context, image_id),
        os_type=spec.instance.os_type,
        file_systems=engine.options.file_systems,
        is_preallocating=engine.options.is_preallocating,
        while_idle=spec.while_idle,
    )


def _names_in(directory: Path) -> frozenset[str] | None:
    """The names of all files; None when there is no such directory."""
    try:
        return frozenset(path.name for path in directory.iterdir())
    except FileNotFoundError:
        return None


def remove_all(paths: InstancePaths) -> bool:
    """Remove the directory of an instance, and what a resize has kept; whether nothing is left.

    What cannot be removed is logged: it is tried again later by who finds that something is left.
    """
    try:
        if paths.resize_directory.exists():
            offload(shutil.rmtree, paths.resize_directory)
        return offload(paths.remove)
    except OSError as error:
        LOG.warning("Files of instance %s are left: %s", paths.uuid, error)
        return False
