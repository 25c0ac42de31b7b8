"""The images of this host: each fetched once, inspected, in the form that disks are made of."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from oslo_concurrency import lockutils

from computed import errors
from computed.lib.locks import KeyedLocks
from computed.lib.offload import offload
from computed.virt.libvirt.storage import inspection
from computed.virt.libvirt.storage.download import ImageSource, fetch
from computed.virt.libvirt.storage.flights import SingleFlight
from computed.virt.libvirt.storage.paths import CachePaths, image_file_name
from computed.virt.libvirt.storage.qemu_img import ImageInfo, QemuImg

LOG = logging.getLogger(__name__)

PART: Final = ".part"
CONVERTED: Final = ".converted"
LOCK_PREFIX: Final = "nova-"
"""Part of the names of lock files: the stock agent of another host may hold the same lock."""


_NO_SPACE: Final = os.strerror(errno.ENOSPC)
# What the image service answers to one tenant, it need not answer to the next one: a token has expired, an
# image is not shared with everybody.
_ONE_TENANTS: Final = (errors.ImageNotAuthorized, errors.ImageNotFound)


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """`force_raw` is [DEFAULT]force_raw_images; `vmdk_types` [compute]vmdk_allowed_types;
    `pause_seconds` is between the tries of a download."""

    force_raw: bool = True
    vmdk_types: tuple[str, ...] = inspection.VMDK_TYPES
    pause_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class CachedImage:
    """A file of the cache and what is in it."""

    path: Path
    info: ImageInfo

    @property
    def format(self) -> str:
        """As qemu-img calls it."""
        return self.info.format


class BaseLocks:
    """The locks of the cache's files: between threads here, and between hosts that share the directory."""

    def __init__(self, paths: CachePaths) -> None:
        self._paths = paths
        self._here = KeyedLocks()

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lock of a file of the cache by its name. Raises OSError."""
        with self._here.hold(name):
            self._paths.locks.mkdir(parents=True, exist_ok=True)
            with lockutils.external_lock(name, LOCK_PREFIX, str(self._paths.locks)):
                yield

    def remove(self, name: str) -> None:
        """Remove the lock file of a file that is gone; for the holder of the lock."""
        (self._paths.locks / f"{LOCK_PREFIX}{name}").unlink(missing_ok=True)


class ImageCache:
    """Files under `_base`. Threads that want the same image wait for the one that fetches it."""

    def __init__(self, paths: CachePaths, tool: QemuImg, policy: CachePolicy | None = None) -> None:
        self.paths = paths
        self.locks = BaseLocks(paths)
        self._tool = tool
        self._policy = policy or CachePolicy()
        self._flights: SingleFlight[CachedImage] = SingleFlight()

    def has(self, image_id: str) -> bool:
        """Whether the image is there already."""
        return self.paths.image(image_id).exists()

    def disk_usage_bytes(self) -> int:
        """What the cache takes of the instances' file system; 0 where it has its own, or is not there."""
        try:
            if self.paths.instances_path.stat().st_dev != self.paths.base.stat().st_dev:
                return 0
            return sum(path.stat().st_blocks * 512 for path in self.paths.base.iterdir() if path.is_file())
        except OSError:
            # It comes and goes while we look.
            return 0

    def image(
        self,
        source: ImageSource,
        *,
        largest_bytes: int | None = None,
        while_idle: Callable[[], Any] = nullcontext,
    ) -> CachedImage:
        """The image, fetched and inspected if need be; `largest_bytes` is how large its disk may be,
        `while_idle` as of SingleFlight.do.

        Raises ImageUnacceptable (hostile or broken: nothing of it is kept), FlavorDiskSmallerThanImage,
        CouldNotFetchImage and GlanceConnectionFailed (see download.fetch), ImageToolFailed, OSError.
        """
        name = image_file_name(source.image_id)
        while True:
            try:
                image = self._flights.do(
                    name,
                    lambda: self._have_image(source, name, largest_bytes),
                    while_idle=while_idle,
                    not_shared=_ONE_TENANTS,
                )
                break
            except _TooLarge as refused:
                # It was too large for whoever fetched it; for us it may not be.
                if largest_bytes is not None and refused.image_bytes > largest_bytes:
                    raise _too_large(largest_bytes, refused.image_bytes) from None
        if largest_bytes is not None and image.info.virtual_size_bytes > largest_bytes:
            raise _too_large(largest_bytes, image.info.virtual_size_bytes)
        return image

    def plain_file(self, source: ImageSource, *, while_idle: Callable[[], Any] = nullcontext) -> Path:
        """A file that no tool opens as a disk (a kernel, a ramdisk), in the cache as it came; `while_idle` as
        of SingleFlight.do.

        Raises CouldNotFetchImage, GlanceConnectionFailed, OSError.
        """
        base = self.paths.plain_file(source.image_id)
        name = base.name

        def have() -> CachedImage:
            with self.locks.hold(name):
                if not base.exists():
                    self.paths.base.mkdir(parents=True, exist_ok=True)
                    part = base.with_name(name + PART)
                    self._download(source, part)
                    part.rename(base)
                mark_used(base)
            size = base.stat().st_size
            return CachedImage(base, ImageInfo("raw", size, size, None, None, None, None))

        return self._flights.do(name, have, while_idle=while_idle, not_shared=_ONE_TENANTS).path

    def made(self, name: str, make: Callable[[Path], None]) -> CachedImage:
        """A raw base file that this host makes itself (`swap_512`, `ephemeral_1_0706d66`), made if need be.

        `make` is given the path to make it at. Raises what `make` raises, InvalidDiskInfo, OSError.
        """
        base = self.paths.base / name

        def have() -> CachedImage:
            with self.locks.hold(name):
                if not base.exists():
                    self.paths.base.mkdir(parents=True, exist_ok=True)
                    with _removed_unless_finished(base.with_name(name + PART)) as part:
                        make(part)
                        part.rename(base)
                mark_used(base)
                return CachedImage(base, self._tool.info(base, "raw"))

        return self._flights.do(name, have)

    def _have_image(self, source: ImageSource, name: str, largest_bytes: int | None) -> CachedImage:
        base = self.paths.base / name
        with self.locks.hold(name):
            if not base.exists():
                self.paths.base.mkdir(parents=True, exist_ok=True)
                self._fetch(source, base, largest_bytes)
            mark_used(base)
            # Each time, because checks may have been added since it came, perhaps to another agent.
            found = offload(
                inspection.inspect, base, source.image_id, None, vmdk_types=self._policy.vmdk_types
            )
            return CachedImage(base, self._confirmed(base, source.image_id, found))

    def _fetch(self, source: ImageSource, base: Path, largest_bytes: int | None) -> None:
        part = base.with_name(base.name + PART)
        self._download(source, part)
        with _removed_unless_finished(part):
            found = offload(
                inspection.inspect,
                part,
                source.image_id,
                source.disk_format or "",
                vmdk_types=self._policy.vmdk_types,
            )
            if largest_bytes is not None and found.virtual_size_bytes > largest_bytes:
                raise _TooLarge(found.virtual_size_bytes)
            info = self._confirmed(part, source.image_id, found)
            if info.format != "raw" and self._policy.force_raw:
                self._convert(part, info, source.image_id, base)
            else:
                part.rename(base)

    def _download(self, source: ImageSource, part: Path) -> None:
        with self._tool.disk_ops:
            fetch(source, part, pause_seconds=self._policy.pause_seconds)

    def _confirmed(self, path: Path, image_id: str, found: inspection.Finding) -> ImageInfo:
        """What qemu-img says of the file, which must be what the inspection said."""
        try:
            info = self._tool.info(path, found.format)
        except errors.InvalidDiskInfo as error:
            raise errors.ImageUnacceptable(image_id=image_id, reason=str(error)) from error
        if info.backing_file is not None or info.data_file is not None:
            raise errors.ImageUnacceptable(image_id=image_id, reason="its data are in other files")
        return info

    def _convert(self, part: Path, info: ImageInfo, image_id: str, base: Path) -> None:
        with _removed_unless_finished(base.with_name(base.name + CONVERTED)) as converted:
            try:
                self._tool.convert(part, info, converted, "raw")
            except errors.ImageToolFailed as error:
                if _NO_SPACE in str(error):
                    raise  # not the image's fault: another host may have room for it
                reason = f"it cannot be converted to raw: {error}"
                raise errors.ImageUnacceptable(image_id=image_id, reason=reason) from error
            offload(inspection.inspect_result, converted, image_id)
            converted.rename(base)
        part.unlink()


class _TooLarge(Exception):
    """The disk of an image is larger than whoever fetches it can use."""

    def __init__(self, image_bytes: int) -> None:
        super().__init__(image_bytes)
        self.image_bytes = image_bytes


def _too_large(largest_bytes: int, image_bytes: int) -> errors.FlavorDiskSmallerThanImage:
    return errors.FlavorDiskSmallerThanImage(flavor_size=largest_bytes, image_size=image_bytes)


def mark_used(base: Path) -> None:
    """Refresh the time of a file, which keeps every cache manager from removing it; where it belongs to
    another user the file's users protect it, not its age. Raises OSError."""
    try:
        os.utime(base)
    except PermissionError as error:
        LOG.warning("The time of %s cannot be refreshed: %s", base, error)


@contextmanager
def _removed_unless_finished(path: Path) -> Iterator[Path]:
    """A file that is to be renamed in the block; removed if the block fails."""
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise
