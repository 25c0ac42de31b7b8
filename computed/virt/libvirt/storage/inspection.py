"""Decides what an image is, and whether it may be opened at all, before any tool sees it.

Everybody may upload an image, and QEMU's formats can name files of the host as their contents (CVE-2015-5163,
CVE-2022-47951, CVE-2024-32498, CVE-2024-40767). So an image's format is what its owner declared and its bytes
confirm, and it is refused when it points out of itself, or can be read as two things.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from oslo_utils.imageutils import format_inspector

from computed import errors
from computed.virt.libvirt.storage import headers
from computed.virt.libvirt.storage.headers import Trap

_CHUNK_BYTES: Final = 4096
_FORMAT_FREE: Final = frozenset({"ami", "aki", "ari"})
"""Declarations of old that say what an image is for, not how it is written."""
_ACCEPTED: Final = frozenset({"raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx", "iso"}) | _FORMAT_FREE
_AS_QEMU_SAYS: Final = {"iso": "raw", "gpt": "raw", "vhd": "vpc"}
_PLAIN: Final = frozenset({"raw", "iso", "gpt"})
VMDK_TYPES: Final = ("streamOptimized", "monolithicSparse")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a file is: `format` as qemu-img calls it, the size of the disk in it as its header says."""

    format: str
    virtual_size_bytes: int


def inspect(
    path: Path, image_id: str, declared: str | None, *, vmdk_types: tuple[str, ...] = VMDK_TYPES
) -> Finding:
    """Look at an image; `declared` is its `disk_format`, None for one that is in the cache already.

    Raises ImageUnacceptable with the reason, OSError. Reads as much of the file as it takes, opens no other.
    """
    try:
        if declared is not None and declared not in _ACCEPTED:
            raise Trap(f"disk format {declared} is not supported")
        found = _detect(path)
        _check_declared(declared, str(found))
        _check_more(path, str(found), vmdk_types)
        _check_safety(found)
        return _finding(path, found)
    except Trap as trap:
        raise errors.ImageUnacceptable(image_id=image_id, reason=str(trap)) from trap


def inspect_result(path: Path, image_id: str) -> Finding:
    """Look at what a conversion to raw has made: the disk in an image may begin with the header of another.

    Raises ImageUnacceptable, OSError.
    """
    finding = inspect(path, image_id, None)
    if finding.format != "raw":
        reason = f"its disk carries the header of a {finding.format} image"
        raise errors.ImageUnacceptable(image_id=image_id, reason=reason)
    return finding


def _detect(path: Path) -> Any:
    """The one inspector of oslo.utils that knows the file. Raises Trap when several do."""
    with path.open("rb") as file:
        wrapper = format_inspector.InspectWrapper(file)
        try:
            while wrapper.read(_CHUNK_BYTES):
                if wrapper.formats:
                    break
        finally:
            wrapper.close()
    found = {str(inspector): inspector for inspector in wrapper.formats or ()}
    # A disc that also starts from a USB stick has a partition table before its file system.
    names = {"iso"} if set(found) == {"iso", "gpt"} else set(found)
    if len(names) != 1:
        raise Trap(f"it can be read as {' and as '.join(sorted(names)) or 'nothing known'}")
    return found[names.pop()]


def _check_declared(declared: str | None, found: str) -> None:
    if declared is None or declared == found:
        return
    # Whole disks with a partition table have always been called raw.
    is_raw_disk = found in ("raw", "gpt") and declared in ("raw", *_FORMAT_FREE)
    if not is_raw_disk:
        raise Trap(f"it is declared as {declared}, its contents are {found}")


def _check_safety(inspector: Any) -> None:
    try:
        inspector.safety_check()
    except format_inspector.SafetyCheckFailed as failed:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(failed.failures.items()))
        raise Trap(f"it fails the safety check ({reasons})") from failed
    except format_inspector.ImageFormatError as error:
        raise Trap(f"it is cut off or broken ({error})") from error


def _check_more(path: Path, found: str, vmdk_types: tuple[str, ...]) -> None:
    head, tail = _ends(path)
    if found in _PLAIN:
        hidden = headers.hidden_format(head)
        if hidden:
            raise Trap(f"it is {found} and carries the header of a {hidden} image")
    checks: dict[str, Callable[[], None]] = {
        "qcow2": lambda: headers.check_qcow2(head, path.stat().st_size),
        "vmdk": lambda: headers.check_vmdk(head, tail, vmdk_types),
        "vhd": lambda: headers.check_vhd(head),
        "vdi": lambda: headers.check_vdi(head),
    }
    if found in checks:
        checks[found]()
    elif found not in _PLAIN and found != "vhdx":
        raise Trap(f"format {found} is not supported")


def _ends(path: Path) -> tuple[bytes, bytes]:
    """The first bytes of a file, and those of its last two sectors; QEMU counts a begun sector as one."""
    with path.open("rb") as file:
        head = file.read(headers.HEAD_BYTES)
        sectors = -(-path.stat().st_size // 512)
        file.seek(max(sectors * 512 - headers.VMDK_TAIL_BYTES, 0))
        return head, file.read(headers.VMDK_TAIL_BYTES)


def _finding(path: Path, inspector: Any) -> Finding:
    name = str(inspector)
    size = path.stat().st_size if name in _PLAIN else int(inspector.virtual_size)
    if not size and name not in (*_PLAIN, "qcow2"):
        raise Trap("it is cut off: the size of its disk cannot be read")
    return Finding(format=_AS_QEMU_SAYS.get(name, name), virtual_size_bytes=size)
