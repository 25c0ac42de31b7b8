"""Makes a config drive of a tree of files, with the file system that [DEFAULT]config_drive_format names."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from computed import errors
from computed.lib.offload import offload
from computed.virt.libvirt.config_drive import iso, vfat

LABEL: Final = "config-2"
"""The name of the volume, by which guests look for it."""
DEVICE_TYPES: Final = {"iso9660": "cdrom", "vfat": "disk"}
"""What the drive is to the guest, by its file system."""


@dataclass(frozen=True, slots=True)
class DriveOptions:
    """`file_system` is [DEFAULT]config_drive_format, `iso_program` is [DEFAULT]mkisofs_cmd; `publisher` names
    product and version."""

    publisher: str
    file_system: str = "iso9660"
    iso_program: str = "genisoimage"


def make_drive(tree: Mapping[str, bytes], target: Path, options: DriveOptions) -> None:
    """Write the drive; what was there before is replaced once the new one is whole.

    Raises ConfigDriveUnknownFormat, ConfigDriveMountFailed (naming the program and what it said), OSError.
    """
    if options.file_system not in DEVICE_TYPES:
        raise errors.ConfigDriveUnknownFormat(format=options.file_system)
    new = target.with_name(f"{target.name}.new")
    # Passwords are in these files: the directory is its owner's alone, and goes with the block.
    with tempfile.TemporaryDirectory(prefix="computed-config-drive-") as directory:
        try:
            offload(_write_files, tree, Path(directory))
            if options.file_system == "iso9660":
                iso.make(
                    Path(directory), new, LABEL, program=options.iso_program, publisher=options.publisher
                )
            else:
                vfat.make(Path(directory), new, LABEL)
            new.rename(target)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def _write_files(tree: Mapping[str, bytes], directory: Path) -> None:
    for name, content in tree.items():
        path = directory / name
        if not path.resolve().is_relative_to(directory.resolve()):
            raise ValueError(f"{name!r} leads out of the config drive")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
