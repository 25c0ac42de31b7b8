"""FAT images of a directory, written by mtools into a file: no mount, no root."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from computed.virt.libvirt.config_drive.programs import run

_SIZE_BYTES: Final = 64 << 20
_CLUSTER_BYTES: Final = 32 << 10


def make(directory: Path, target: Path, label: str) -> None:
    """Write an image of 64 MiB, or larger if the files need it. Raises ConfigDriveMountFailed, OSError."""
    with target.open("wb") as file:
        file.truncate(_size_for(directory))
    run("mkfs.vfat", "-n", label, str(target))
    entries = [str(path) for path in sorted(directory.iterdir())]
    # -s with all below, -Q and give up at the first error, -m with their times.
    run("mcopy", "-s", "-Q", "-m", "-i", str(target), *entries, "::/", MTOOLS_SKIP_CHECK="1")


def _size_for(directory: Path) -> int:
    """Half as much again as the files fill in clusters, in whole MiB, and never less than the usual size."""
    sizes = [path.stat().st_size for path in directory.rglob("*")]
    needed = sum((size // _CLUSTER_BYTES + 1) * _CLUSTER_BYTES for size in sizes) * 3 // 2
    return max(_SIZE_BYTES, (needed >> 20) + 1 << 20)
