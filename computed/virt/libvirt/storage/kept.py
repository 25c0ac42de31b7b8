"""What the source of a resize keeps: the instance's directory, as `UUID_resize`, until it is confirmed or
reverted (contract host_files.json, sibling_suffixes)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from computed.virt.libvirt.storage.paths import SWAP_DISK, InstancePaths

UNFINISHED: Final = "resize.unfinished"
"""In the new directory of an instance as long as its disks are not all in there."""
_LEFT_BEHIND: Final = frozenset({SWAP_DISK, "console.log", "unrescue.xml", UNFINISHED})
"""Made anew where the guest goes on, or of no use there."""


def set_aside(paths: InstancePaths, *, begin_anew: bool) -> None:
    """Keep the directory. `begin_anew` when the guest's new directory is on this storage too: it is made.

    What an earlier resize has left is removed before. Raises OSError; then it is as it was.
    """
    if paths.resize_directory.exists():
        shutil.rmtree(paths.resize_directory)
    paths.directory.rename(paths.resize_directory)
    if begin_anew:
        try:
            paths.directory.mkdir()
            (paths.directory / UNFINISHED).touch()
        except OSError:
            give_back(paths)
            raise


def finished(paths: InstancePaths) -> None:
    """All disks are in the new directory."""
    (paths.directory / UNFINISHED).unlink(missing_ok=True)


def is_whole(paths: InstancePaths) -> bool:
    """Whether the instance has a directory with all its disks, whatever is kept besides."""
    return paths.directory.exists() and not (paths.directory / UNFINISHED).exists()


def to_send(paths: InstancePaths) -> Iterator[Path]:
    """The kept files that the guest needs where it goes on."""
    for path in sorted(paths.resize_directory.iterdir()):
        if path.is_file() and not path.is_symlink() and path.name not in _LEFT_BEHIND:
            yield path


def give_back(paths: InstancePaths) -> bool:
    """Have the kept directory in its place again, instead of what is there; False when none is kept.

    Raises OSError.
    """
    if not paths.resize_directory.exists():
        return False
    if paths.directory.exists():
        shutil.rmtree(paths.directory)
    paths.resize_directory.rename(paths.directory)
    return True


def drop(paths: InstancePaths) -> None:
    """Nobody goes back to what was kept. Raises OSError."""
    if paths.resize_directory.exists():
        shutil.rmtree(paths.resize_directory)
