"""Where the files of an instance and of the image cache are (contract host_files.json, instances_path)."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid as uuid_module
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT_DISK: Final = "disk"
SWAP_DISK: Final = "disk.swap"
CONFIG_DRIVE: Final = "disk.config"
DISK_INFO: Final = "disk.info"
RESCUE_SUFFIX: Final = ".rescue"
RESCUE_DISK: Final = ROOT_DISK + RESCUE_SUFFIX


@dataclass(frozen=True, slots=True)
class InstancePaths:
    """The files of one instance; nothing is read or made by asking.

    Raises ValueError for a `uuid` that is none: it becomes part of a path that is deleted some day.
    """

    instances_path: Path
    uuid: str

    def __post_init__(self) -> None:
        if str(uuid_module.UUID(self.uuid)) != self.uuid:
            raise ValueError(f"{self.uuid!r} is not a canonical UUID")
        if not self.instances_path.is_absolute():
            raise ValueError(f"instances_path {self.instances_path} is not absolute")

    @property
    def directory(self) -> Path:
        """The directory of the instance."""
        return self.instances_path / self.uuid

    @property
    def resize_directory(self) -> Path:
        """What a resize keeps on its source until it is confirmed or reverted."""
        return self.instances_path / f"{self.uuid}_resize"

    @property
    def deleted_directory(self) -> Path:
        """What the directory is called while it is removed."""
        return self.instances_path / f"{self.uuid}_del"

    def disk(self, name: str = ROOT_DISK) -> Path:
        """A disk by its name (`disk`, `disk.eph0`, `disk.swap`, `kernel`...); one file name, never a path."""
        if name != os.path.basename(name) or name in ("", ".", ".."):
            raise ValueError(f"{name!r} is not the name of a disk")
        return self.directory / name

    def ephemeral(self, number: int) -> Path:
        """Ephemeral disk `number`, from 0."""
        return self.disk(f"disk.eph{number}")

    def config_drive(self, *, is_rescue: bool = False) -> Path:
        """The config drive, or that of the rescue system."""
        return self.disk(CONFIG_DRIVE + (RESCUE_SUFFIX if is_rescue else ""))

    @property
    def disk_info(self) -> Path:
        """The record of the formats of the disks."""
        return self.disk(DISK_INFO)

    @property
    def console_log(self) -> Path:
        """What the guest prints to its first serial port; virtlogd writes it."""
        return self.disk("console.log")

    @property
    def unrescue_xml(self) -> Path:
        """The domain as it was before the rescue."""
        return self.disk("unrescue.xml")

    @property
    def container_link(self) -> Path:
        """A short name for the root disk of a container, beside the directory (storage/container_root.py)."""
        return self.instances_path / f"lxc-{self.uuid[:8]}{self.uuid[9:13]}"

    def create(self) -> bool:
        """Make the directory; False when it was there. Raises OSError."""
        try:
            self.directory.mkdir(parents=True)
        except FileExistsError:
            return False
        return True

    def remove(self) -> bool:
        """Remove the directory with all that is in it; whether nothing is left. Raises OSError, once what can
        be removed is.

        It is renamed first, as the stock agent does it: a deletion that is cut off is found by its name and
        finished by the next `remove`, and no guest starts from half a directory.
        """
        if self.container_link.is_symlink() and self.container_link.readlink() == self.disk():
            self.container_link.unlink()
        if self.directory.exists() and not self.deleted_directory.exists():
            self.directory.rename(self.deleted_directory)
        try:
            if self.deleted_directory.exists():
                shutil.rmtree(self.deleted_directory)
        finally:
            if self.directory.exists():
                shutil.rmtree(self.directory)
        return not (self.directory.exists() or self.deleted_directory.exists())


@dataclass(frozen=True, slots=True)
class CachePaths:
    """The image cache (`[image_cache]subdirectory_name`) and the locks of hosts that share it."""

    instances_path: Path
    subdirectory: str = "_base"

    @property
    def base(self) -> Path:
        """The directory of cached images."""
        return self.instances_path / self.subdirectory

    @property
    def locks(self) -> Path:
        """The directory of lock files, beside the instances."""
        return self.instances_path / "locks"

    def image(self, image_id: str) -> Path:
        """The cached file of an image."""
        return self.base / image_file_name(image_id)

    def plain_file(self, image_id: str) -> Path:
        """The cached file of an image that is used as it came; nobody has looked into it."""
        return self.base / plain_file_name(image_id)


def image_file_name(image_id: str) -> str:
    """The name of an image's file in the cache: the SHA-1 of its id (contract image_cache.name_rule)."""
    return hashlib.sha1(image_id.encode(), usedforsecurity=False).hexdigest()


def plain_file_name(image_id: str) -> str:
    """The name in the cache of an image that is used as it came (a kernel, a ramdisk). Another than that of
    the same image as a disk, which has been inspected and may have been converted; stock has one for both."""
    return f"{image_file_name(image_id)}_plain"
