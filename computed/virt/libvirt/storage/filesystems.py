"""File systems of ephemeral and swap disks: which one, how it is made, what its base file is called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from computed import errors
from computed.virt.libvirt.storage.programs import run

_DEFAULT: Final = "vfat"
_OF_OS: Final = {"linux": "ext4", "windows": "ntfs"}
_ON_REQUEST: Final = frozenset({"ext2", "ext3", "ext4", "xfs"})
_ASKS_FIRST: Final = frozenset({"ext2", "ext3", "ext4", "ntfs"})
"""Their makers want to be forced to write to what is no device."""


@dataclass(frozen=True, slots=True)
class FileSystemOptions:
    """`default_format` is [DEFAULT]default_ephemeral_format; `commands` is [DEFAULT]virt_mkfs by OS type."""

    default_format: str | None = None
    commands: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, default_format: str | None, virt_mkfs: Iterable[str]) -> FileSystemOptions:
        """The options as the file has them: each command is OS=COMMAND, and may hold further `=`."""
        parts = (entry.partition("=") for entry in virt_mkfs)
        return cls(default_format, {os_type: command for os_type, _, command in parts if os_type})


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What an ephemeral disk is formatted with: a kind (`ext4`), or the operator's own command."""

    kind: str | None
    command: str | None
    usual: str
    """The kind or command that the name of a base file stands for."""

    def base_name(self, size_gib: int) -> str:
        """The base file of such a disk (contract image_cache.ephemeral_base).

        The stock agent names the file after the kind that is used where nobody asks for one, whatever is in
        it. Where that is something else here, its kind is added: so the two agents never take a file for what
        it is not, and the stock one, which removes old files by their names, leaves this one alone.
        """
        digest = hashlib.md5(self.usual.encode(), usedforsecurity=False).hexdigest()[:7]
        name = f"ephemeral_{size_gib}_{digest}"
        return name if self.usual in (self.kind, self.command) else f"{name}_{self.kind}"

    def make(self, path: Path, label: str) -> None:
        """Format a file. Raises ImageToolFailed."""
        if self.command is not None:
            words = (self.command % {"fs_label": label, "target": path}).split()
            run(*words)
            return
        force = ["-F"] if self.kind in _ASKS_FIRST else []
        option = "-n" if self.kind in ("vfat", "msdos") else "-L"
        run("mkfs", "-t", str(self.kind), *force, option, label, str(path))


def choose(os_type: str | None, asked: str | None, options: FileSystemOptions) -> FileSystem:
    """The file system for a guest's OS; `asked` is the `guest_format` of the disk.

    Raises InvalidBDMFormat when nobody can make what is asked for.
    """
    if asked is not None and asked not in _ON_REQUEST:
        raise errors.InvalidBDMFormat(details=f"{asked} is no file system of ephemeral disks")
    command = options.commands.get(os_type or "") or options.commands.get("default")
    if command:
        return FileSystem(None, command, command)
    kind = asked or options.default_format or _OF_OS.get(os_type or "", _DEFAULT)
    return FileSystem(kind, None, options.default_format or _DEFAULT)


def swap_base_name(size_mib: int) -> str:
    """The base file of a swap disk (contract image_cache.swap_base)."""
    return f"swap_{size_mib}"


def make_swap(path: Path) -> None:
    """Format a file as swap space. Raises ImageToolFailed."""
    run("mkswap", str(path))
