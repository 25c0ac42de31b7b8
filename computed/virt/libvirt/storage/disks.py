"""Makes, grows and copies the local disks of a guest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from oslo_concurrency import processutils

from computed import errors
from computed.virt.libvirt.storage import container_root, disk_info, filesystems, rights
from computed.virt.libvirt.storage.cache import CachedImage, ImageCache
from computed.virt.libvirt.storage.download import ImageSource
from computed.virt.libvirt.storage.filesystems import FileSystemOptions
from computed.virt.libvirt.storage.paths import InstancePaths
from computed.virt.libvirt.storage.plan import DiskPlan, local_disks
from computed.virt.libvirt.storage.qemu_img import ImageInfo, QemuImg

LOG = logging.getLogger(__name__)

_GIB: Final = 1 << 30
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class DiskOrder:
    """What the disks of one guest are made from: `source_of` gives the source of an image by its id;
    `is_preallocating` says that each disk has its space to itself; `while_idle` as of SingleFlight.do."""

    paths: InstancePaths
    source_of: Callable[[str], ImageSource]
    os_type: str | None = None
    file_systems: FileSystemOptions = field(default_factory=FileSystemOptions)
    is_preallocating: bool = False
    while_idle: Callable[[], Any] = nullcontext


class Disks:
    """The files of disks on this host. Methods raise ImageToolFailed, naming the command, and OSError."""

    def __init__(self, cache: ImageCache, tool: QemuImg) -> None:
        self._cache = cache
        self._tool = tool

    def create(self, plans: Iterable[DiskPlan], order: DiskOrder) -> list[Path]:
        """Make the local disks that are not there yet, and return those made; record their formats.

        Of what fails half-way nothing of that disk is left; disks made before it stay, for the caller's undo.
        Raises what ImageCache.image raises (ImageUnacceptable, FlavorDiskSmallerThanImage, ...),
        InvalidBDMFormat, DiskInfoReadWriteFail.
        """
        order.paths.create()
        made = []
        for plan in local_disks(plans):
            path = _path_of(plan)
            if plan.bus == "lxc" and plan.kind == "root":
                container_root.have_link(order.paths)
            if path.exists():
                continue
            with _removed_on_error(path):
                disk_format = self._make(plan, path, order)
                if order.is_preallocating and plan.size_bytes:
                    _preallocate(path, plan.size_bytes)
                disk_info.remember(order.paths.disk_info, path, disk_format)
            made.append(path)
        return made

    def fetch_plain(self, image_id: str, name: str, order: DiskOrder) -> Path:
        """A kernel or a ramdisk as file `name` of the instance. Raises what ImageCache.plain_file raises."""
        order.paths.create()
        path = order.paths.disk(name)
        if not path.exists():
            base = self._cache.plain_file(order.source_of(image_id), while_idle=order.while_idle)
            with _removed_on_error(path):
                copy_file(base, path)
                disk_info.remember(order.paths.disk_info, path, "raw")
        return path

    def info(self, paths: InstancePaths, path: Path) -> ImageInfo:
        """What is known of a disk, read with its recorded format.

        Raises DiskNotFound, InvalidDiskInfo (also when no format is recorded: it is not guessed).
        """
        disk_format = disk_info.format_of(paths.disk_info, path)
        if disk_format is None:
            raise errors.InvalidDiskInfo(reason=f"{paths.disk_info} has no format for {path}")
        return self._tool.info(path, disk_format)

    def grow(self, paths: InstancePaths, path: Path, size_bytes: int) -> bool:
        """Make a disk that no guest uses as large as this; False when it is already, since a disk never
        shrinks.

        Raises what `info` raises, OSError.
        """
        info = self.info(paths, path)
        if info.virtual_size_bytes >= size_bytes:
            return False
        rights.make_ours(paths, path.name)
        self._tool.resize(path, info.format, size_bytes)
        return True

    def extract(
        self, paths: InstancePaths, path: Path, target: Path, target_format: str, *, compress: bool = False
    ) -> None:
        """Write a disk with all it lies on as one new file, for a snapshot of a guest that does not run.

        Raises what `info` raises.
        """
        with _removed_on_error(target):
            info = self.info(paths, path)
            self._tool.convert(path, info, target, target_format, compress=compress)

    def convert(self, paths: InstancePaths, path: Path, new_format: str) -> None:
        """Have a disk in another format, at rest; recorded with it. Raises what `info` raises."""
        new = path.with_name(f"{path.name}.new")
        with _removed_on_error(new):
            self._tool.convert(path, self.info(paths, path), new, new_format)
            disk_info.forget(paths.disk_info, path)
            new.rename(path)
            disk_info.remember(paths.disk_info, path, new_format)

    def remove(self, paths: InstancePaths, path: Path) -> None:
        """Remove a disk and its record; one that is not there is no error. Raises DiskInfoReadWriteFail."""
        path.unlink(missing_ok=True)
        disk_info.forget(paths.disk_info, path)

    def lacks_base(self, paths: InstancePaths, path: Path) -> bool:
        """Whether a disk lies on a file that has vanished. Raises what `info` raises."""
        backing = self.info(paths, path).backing_file
        return backing is not None and not Path(backing).exists()

    def restore_base(self, paths: InstancePaths, path: Path, source: ImageSource) -> bool:
        """Have the base of a qcow2 disk again when its file has vanished; whether it was missing.

        Raises what ImageCache.image raises, ImageUnacceptable when the disk lies on another file than the
        image's.
        """
        backing = self.info(paths, path).backing_file
        if backing is None or Path(backing).exists():
            return False
        if Path(backing) != self._cache.paths.image(source.image_id):
            reason = f"{path} lies on {backing}, which is gone and not of this image"
            raise errors.ImageUnacceptable(image_id=source.image_id, reason=reason)
        LOG.warning("The base %s of disk %s has vanished and is fetched again", backing, path)
        self._cache.image(source)
        return True

    def _make(self, plan: DiskPlan, path: Path, order: DiskOrder) -> str:
        """Make one disk; its format."""
        if plan.kind in ("root", "rescue"):
            return self._make_root(plan, path, order)
        size = plan.size_bytes or 0
        name, fill = _filling(plan, path, order)

        def make(target: Path) -> None:
            self._tool.create(target, "raw", size)
            fill(target)

        if plan.format == "raw":
            make(path)
            return "raw"
        base = self._cache.made(name, make)
        self._tool.create_overlay(path, base.path, base.info, size)
        return "qcow2"

    def _make_root(self, plan: DiskPlan, path: Path, order: DiskOrder) -> str:
        if plan.image_id is None:
            raise errors.InvalidDiskInfo(reason=f"{path} is to be made of an image, and none is named")
        source = order.source_of(plan.image_id)
        base = self._cache.image(source, largest_bytes=plan.size_bytes, while_idle=order.while_idle)
        with self._cache.locks.hold(base.path.name):
            if plan.format == "qcow2":
                self._tool.create_overlay(path, base.path, base.info, plan.size_bytes)
                return "qcow2"
            if plan.bus == "lxc":
                return self._make_container_root(plan, path, base)
            copy_file(base.path, path)
        if plan.size_bytes and plan.size_bytes > base.info.virtual_size_bytes:
            self._tool.resize(path, base.format, plan.size_bytes)
        return base.format

    def _make_container_root(self, plan: DiskPlan, path: Path, base: CachedImage) -> str:
        """The kernel mounts it, which knows no image formats."""
        self._tool.convert(base.path, base.info, path, "raw")
        if plan.size_bytes and plan.size_bytes > base.info.virtual_size_bytes:
            self._tool.resize(path, "raw", plan.size_bytes)
        container_root.fit(path, str(plan.image_id))
        return "raw"


def _filling(plan: DiskPlan, path: Path, order: DiskOrder) -> tuple[str, Callable[[Path], None]]:
    """The name of the base of an ephemeral or swap disk, and what formats it."""
    size = plan.size_bytes or 0
    if plan.kind == "swap":
        return filesystems.swap_base_name(size // _MIB), filesystems.make_swap
    file_system = filesystems.choose(order.os_type, plan.guest_format, order.file_systems)
    # Disks that lie on one base share its label, as they always did: that of the first.
    number = path.name.removeprefix("disk.eph") if plan.format == "raw" else "0"

    def fill(target: Path) -> None:
        file_system.make(target, f"ephemeral{number}")

    return file_system.base_name(size // _GIB), fill


def _path_of(plan: DiskPlan) -> Path:
    assert plan.path is not None, plan
    return plan.path


def copy_file(base: Path, target: Path) -> None:
    """Copy a file, its holes as holes, or share its blocks where the file system can."""
    _run("cp", "--sparse=auto", "--reflink=auto", str(base), str(target))


def _preallocate(path: Path, size_bytes: int) -> None:
    """Have the space of a disk for it alone, without changing its length."""
    _run("fallocate", "-n", "-l", str(size_bytes), str(path))


def _run(*command: str) -> None:
    try:
        processutils.execute(*command)
    except processutils.ProcessExecutionError as error:
        raise errors.ImageToolFailed(f"{' '.join(command)}: {(error.stderr or '').strip()}") from error


@contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
