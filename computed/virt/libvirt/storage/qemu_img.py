"""qemu-img: every command says the formats of its files, and runs under limits."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from oslo_concurrency import processutils

from computed import errors
from computed.lib.slots import Slots

LOG = logging.getLogger(__name__)

FORMATS: Final = frozenset({"raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx", "parallels"})
"""The formats that may stand in a command: those of images and disks on this host."""
_GIB: Final = 1 << 30
_SLACK_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use ([libvirt]images_cpu_time_limit and images_address_space_limit).

    A conversion works through the whole image, so it gets `cpu_seconds` for each GiB of it.
    """

    cpu_seconds: int = 30
    address_space_gib: int = 2

    def of_look(self) -> processutils.ProcessLimits:
        """For a command that only reads headers or makes an empty file."""
        return processutils.ProcessLimits(
            cpu_time=self.cpu_seconds, address_space=self.address_space_gib * _GIB
        )

    def of_conversion(self, virtual_size_bytes: int) -> processutils.ProcessLimits:
        """For a command that writes an image of this size."""
        return processutils.ProcessLimits(
            cpu_time=self.cpu_seconds * (2 + virtual_size_bytes // _GIB),
            address_space=self.address_space_gib * _GIB,
            # The tables of the target's format are well below a hundredth of it.
            file_size=virtual_size_bytes + virtual_size_bytes // 100 + _SLACK_BYTES,
        )


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What qemu-img says of a file; sizes in bytes."""

    format: str
    virtual_size_bytes: int
    actual_size_bytes: int
    backing_file: str | None
    backing_format: str | None
    data_file: str | None
    cluster_size_bytes: int | None

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> ImageInfo:
        """Raises KeyError when it is not what `qemu-img info --output=json` prints."""
        specific = (said.get("format-specific") or {}).get("data") or {}
        return cls(
            format=said["format"],
            virtual_size_bytes=int(said["virtual-size"]),
            actual_size_bytes=int(said.get("actual-size", 0)),
            backing_file=said.get("backing-filename"),
            backing_format=said.get("backing-filename-format"),
            data_file=specific.get("data-file"),
            cluster_size_bytes=said.get("cluster-size"),
        )


Execute = Callable[..., tuple[str, str]]


class QemuImg:
    """The commands that this host needs. Every method raises ImageToolFailed, naming the command and why.

    `cache_mode` is how targets are written: `none` wherever the storage allows it, else `writeback`;
    see `cache_mode_for`. `disk_ops` are slots for work that keeps disks busy; it is done in one of them.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        cache_mode: str = "none",
        disk_ops: Slots | None = None,
        execute: Execute = processutils.execute,
    ) -> None:
        self.disk_ops = disk_ops or Slots(0)
        self._limits = limits
        self._cache_mode = cache_mode
        self._execute = execute

    def info(self, path: Path, image_format: str) -> ImageInfo:
        """What is in a file of this format; also while a guest uses it. Raises DiskNotFound,
        InvalidDiskInfo (it has another format, or what it says makes no sense)."""
        if not path.exists():
            raise errors.DiskNotFound(location=str(path))
        try:
            # -U: a running guest holds a lock; its headers may be read all the same.
            out = self._run("info", "-U", "-f", _checked(image_format), "--output=json", _named(path))
            return ImageInfo.from_json(json.loads(out))
        except errors.ImageToolFailed as error:
            raise errors.InvalidDiskInfo(reason=str(error)) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise errors.InvalidDiskInfo(reason=f"qemu-img gave no usable answer on {path}") from error

    def create(self, path: Path, image_format: str, size_bytes: int) -> None:
        """An empty disk."""
        self._run("create", "-q", "-f", _checked(image_format), _named(path), str(size_bytes))

    def create_overlay(
        self, path: Path, base: Path, base_info: ImageInfo, size_bytes: int | None = None
    ) -> None:
        """A qcow2 disk on top of `base`, of its size or a larger one, with its cluster size."""
        options: list[str] = []
        if base_info.cluster_size_bytes and base_info.format == "qcow2":
            options = ["-o", f"cluster_size={base_info.cluster_size_bytes}"]
        size = [] if size_bytes is None else [str(size_bytes)]
        backing = ["-b", _named(base), "-F", _checked(base_info.format)]
        self._run("create", "-q", "-f", "qcow2", *options, *backing, _named(path), *size)

    def convert(
        self,
        source: Path,
        source_info: ImageInfo,
        target: Path,
        target_format: str,
        *,
        compress: bool = False,
    ) -> None:
        """Write `target` with the contents of `source`, its backing files included."""
        with self.disk_ops:
            self._run(
                "convert",
                *("-t", self._cache_mode, "-f", _checked(source_info.format), "-O", _checked(target_format)),
                *(["-c"] if compress else []),
                *(_named(source), _named(target)),
                limits=self._limits.of_conversion(source_info.virtual_size_bytes),
            )

    def resize(self, path: Path, image_format: str, size_bytes: int) -> None:
        """Make a disk larger; qemu-img itself refuses to make it smaller."""
        self._run("resize", "-q", "-f", _checked(image_format), _named(path), str(size_bytes))

    def rebase(self, path: Path, info: ImageInfo, base: Path | None, base_format: str = "raw") -> None:
        """Put a qcow2 disk on another base, or on none (flatten); what differs is copied into it."""
        backing = ["-b", ""]
        if base is not None:
            backing = ["-b", _named(base), "-F", _checked(base_format)]
        limits = self._limits.of_conversion(info.virtual_size_bytes)
        with self.disk_ops:
            self._run("rebase", "-q", "-f", "qcow2", *backing, _named(path), limits=limits)

    def _run(self, *command: str, limits: processutils.ProcessLimits | None = None) -> str:
        words = ("env", "LC_ALL=C", "LANG=C", "qemu-img", *command)
        try:
            out, _ = self._execute(*words, prlimit=limits or self._limits.of_look())
        except processutils.ProcessExecutionError as error:
            reason = (error.stderr or error.description or "").strip() or f"exit code {error.exit_code}"
            raise errors.ImageToolFailed(f"qemu-img {' '.join(command)}: {reason}") from error
        except OSError as error:
            raise errors.ImageToolFailed(f"qemu-img cannot be run: {error}") from error
        return out


def cache_mode_for(directory: Path) -> str:
    """How targets in this directory can be written: `none` (past the host's cache, whole on the disk when the
    command ends), or `writeback` where the file system has no O_DIRECT. Raises OSError."""
    probe = directory / f".directio.{os.getpid()}"
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_WRONLY | os.O_DIRECT, 0o600))
    except OSError as error:
        if not directory.is_dir():
            raise
        LOG.debug("No O_DIRECT in %s: %s", directory, error)
        return "writeback"
    finally:
        probe.unlink(missing_ok=True)
    return "none"


def _checked(image_format: str) -> str:
    """`image_format`, when it is one: "not known" must never become "find out yourself"."""
    if image_format not in FORMATS:
        raise errors.InvalidDiskFormat(disk_format=image_format)
    return image_format


def _named(path: Path) -> str:
    """`path` as a word that qemu-img takes for a path: not for an option, nor for a protocol (`nbd:...`)."""
    if not path.is_absolute():
        raise ValueError(f"{path} is not an absolute path")
    return str(path)
