"""The root disk of a container: a file system that fills a raw file, which libvirt mounts for the container.

The stock agent mounts the disk at `rootfs` of the instance, starts the container and unmounts it. Here
libvirt mounts the file itself, through a loop device, within the container's own mount namespace: the agent
needs no root for it, no device of the host is left over when the agent dies, and what a container writes
stays within the size of its flavor. The kernel remembers a name of 63 bytes for what a loop device lies on,
and libvirt wants it whole: the disk has a short name besides its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from computed import errors
from computed.virt.libvirt.storage.paths import InstancePaths
from computed.virt.libvirt.storage.programs import run, run_accepting

_HEAD_BYTES: Final = 1 << 17
_FILE_SYSTEMS: Final = (
    ("ext", 1080, b"\x53\xef"),
    ("xfs", 0, b"XFSB"),
    ("btrfs", 0x10040, b"_BHRfS_M"),
    ("squashfs", 0, b"hsqs"),
)
"""Name, where its magic number is, the number."""
_PARTITION_TABLES: Final = ((510, b"\x55\xaa"), (512, b"EFI PART"))
_MENDED: Final = 1
"""What e2fsck ends with when it has put something right."""


_LONGEST_NAME: Final = 63


def have_link(paths: InstancePaths) -> None:
    """See that the root disk has its short name.

    Raises InvalidDiskInfo when that is another instance's, or too long itself, OSError.
    """
    link, disk = paths.container_link, paths.disk()
    if len(str(link).encode()) > _LONGEST_NAME:
        reason = f"instances_path is too long: libvirt takes {_LONGEST_NAME} bytes of {link}"
        raise errors.InvalidDiskInfo(reason=reason)
    try:
        link.symlink_to(disk)
    except FileExistsError:
        if not link.is_symlink() or link.readlink() != disk:
            raise errors.InvalidDiskInfo(reason=f"{link} is there already and not of {paths.uuid}") from None


def kind_of(path: Path) -> str | None:
    """The file system that a raw disk is from its first byte on; None when there is none that is known.
    Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for name, offset, magic in _FILE_SYSTEMS:
        if head[offset : offset + len(magic)] == magic:
            return name
    return None


def fit(path: Path, image_id: str) -> None:
    """See that a container can start from a raw disk, and let its file system fill the disk.

    Raises ImageUnacceptable for a disk that is no file system, ImageToolFailed, OSError.
    """
    kind = kind_of(path)
    if kind is None:
        raise errors.ImageUnacceptable(image_id=image_id, reason=_refusal(path))
    if kind == "ext":
        run_accepting((0, _MENDED), "e2fsck", "-f", "-p", str(path))
        run("resize2fs", str(path))


def _refusal(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if any(head[offset : offset + len(magic)] == magic for offset, magic in _PARTITION_TABLES):
        return "it has partitions, and a container starts from an image that is one file system"
    return "it is no file system that a container could start from (ext2 to 4, xfs, btrfs, squashfs)"
