"""Ages the image cache: what no guest uses any more is removed, when it has not been used for long enough."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from computed import errors
from computed.virt.libvirt.storage import disk_info, headers
from computed.virt.libvirt.storage.cache import CONVERTED, PART, BaseLocks, mark_used
from computed.virt.libvirt.storage.paths import DISK_INFO, CachePaths, image_file_name, plain_file_name

LOG = logging.getLogger(__name__)

_IMAGE: Final = re.compile(r"[0-9a-f]{40}(_plain)?")
_RESIZED: Final = re.compile(r"([0-9a-f]{40})_(\d+|sm)")
_MADE: Final = re.compile(r"swap_\d+|ephemeral_\d+_[0-9a-f]{7}(_\w+)?")
_UNFINISHED: Final = re.compile(rf".+({re.escape(PART)}|{re.escape(CONVERTED)})")
_HEADER_BYTES: Final = 65536
_INSTANCE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(_resize|_del)?")


@dataclass(frozen=True, slots=True)
class AgingOptions:
    """Section [image_cache]: whether unused files are removed, and how old (seconds since their last use) an
    image, or a resized copy of one, must be."""

    is_removing: bool = True
    image_seconds: int = 86400
    resized_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class InUse:
    """What guests need: ids of images, and names of base files (`swap_512`) of every host that shares the
    directory."""

    image_ids: frozenset[str]
    names: frozenset[str] = frozenset()


class CacheManager:
    """Goes through the cache; `now` is the clock."""

    def __init__(
        self,
        paths: CachePaths,
        locks: BaseLocks,
        options: AgingOptions,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._paths = paths
        self._locks = locks
        self._options = options
        self._now = now

    def run(self, in_use: InUse) -> list[str]:
        """Refresh what is in use, remove what is not and is old; the names of the files removed.

        Raises ReadIncomplete, having removed nothing, when it cannot be told what some disk lies on: unknown
        is not unused. Raises OSError.
        """
        if not self._paths.base.is_dir():
            return []
        needed = self._needed_names(in_use)
        removed = []
        for path in sorted(self._paths.base.iterdir()):
            oldest = self._age_to_remove(path.name)
            if oldest is None or not path.is_file() or path.is_symlink():
                continue
            if path.name in needed:
                mark_used(path)
            elif self._options.is_removing and self._remove_if_old(path, oldest):
                removed.append(path.name)
        return removed

    def _needed_names(self, in_use: InUse) -> set[str]:
        images = {image_file_name(image_id) for image_id in in_use.image_ids}
        needed = images | in_use.names | self._backing_names()
        needed.update(plain_file_name(image_id) for image_id in in_use.image_ids)
        for path in self._paths.base.iterdir():
            resized = _RESIZED.fullmatch(path.name)
            if resized and resized.group(1) in images:
                needed.add(path.name)
        return needed

    def _backing_names(self) -> set[str]:
        """The base files that disks of this directory lie on, whosever they are."""
        names: set[str] = set()
        for directory in self._paths.instances_path.iterdir():
            if _INSTANCE.fullmatch(directory.name) and directory.is_dir():
                names.update(self._backing_names_of(directory))
        return names

    def _backing_names_of(self, directory: Path) -> Iterable[str]:
        try:
            formats: Mapping[str, str] = disk_info.read(directory / DISK_INFO)
        except errors.NovaException as error:
            raise errors.ReadIncomplete(f"The disks of {directory} cannot be told: {error}") from error
        by_name = {Path(path).name: disk_format for path, disk_format in formats.items()}
        for path in directory.glob("disk*"):
            disk_format = by_name.get(path.name)
            if disk_format in (None, "qcow2") and path.is_file():
                backing = _backing_of(path, is_certain=disk_format is not None)
                if backing is not None:
                    yield Path(backing).name

    def _age_to_remove(self, name: str) -> int | None:
        """How long (seconds) a file of this name must be unused; None for what is not ours to remove."""
        if _IMAGE.fullmatch(name) or _MADE.fullmatch(name) or _UNFINISHED.fullmatch(name):
            return self._options.image_seconds
        return self._options.resized_seconds if _RESIZED.fullmatch(name) else None

    def _remove_if_old(self, path: Path, oldest: int) -> bool:
        if not self._is_old(path, oldest):
            return False
        name = path.name.removesuffix(PART).removesuffix(CONVERTED)
        with self._locks.hold(name):
            # Somebody may have come to use it while we waited.
            if not self._is_old(path, oldest):
                return False
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                LOG.error("Unused file %s of the image cache cannot be removed: %s", path, error)
                return False
            LOG.info("Removed %s from the image cache: unused for %d seconds or more", path.name, oldest)
        return True

    def _is_old(self, path: Path, oldest: int) -> bool:
        try:
            return self._now() - path.stat().st_mtime >= oldest
        except FileNotFoundError:
            return False


def _backing_of(path: Path, *, is_certain: bool) -> str | None:
    """What a disk lies on. Only its header is read, by nothing that would open another file: a disk without a
    record may be a raw one, to which its guest has written what it likes; `is_certain` if it has one."""
    try:
        with path.open("rb") as file:
            return headers.qcow2_backing_file(file.read(_HEADER_BYTES))
    except FileNotFoundError:
        return None  # deleted meanwhile
    except headers.Trap as trap:
        if not is_certain:
            return None
        raise errors.ReadIncomplete(f"What {path} lies on cannot be told: {trap}") from trap
    except OSError as error:
        raise errors.ReadIncomplete(f"{path} cannot be read: {error}") from error
