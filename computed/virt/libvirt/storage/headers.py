"""What the first bytes of an image say, read without any tool: the traps that a format inspector lets pass.

Pure functions on bytes. A trap is a `Trap` with the reason, in words that fit behind "the image is refused:".
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from typing import Final


class Trap(Exception):
    """The image must not be opened by any tool."""


HEAD_BYTES: Final = 1 << 20
"""How much of a file the functions here want to see: the descriptor of a VMDK ends within it."""

# Where a tool that guesses looks for what, and what it takes the file for (bdrv_probe of QEMU's drivers).
_MAGICS: Final = (
    (0, b"QFI\xfb", "qcow"),
    (0, b"QED\x00", "qed"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"conectix", "vhd"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0, b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop", "cloop"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
)
_MIB: Final = 1 << 20
_QCOW2_MAX_L1_BYTES: Final = 32 * _MIB
_QCOW2_MAX_REFCOUNT_BYTES: Final = 8 * _MIB
_QCOW2_MAX_SNAPSHOTS: Final = 65536
_QCOW2_CORRUPT: Final = 1 << 1
_QCOW2_DATA_FILE: Final = 1 << 2
_QCOW2_DATA_FILE_NAME: Final = 0x44415441
_SECTOR: Final = 512
# Where QEMU looks for the parent of a VMDK, whatever its header says (vmdk_parent_open).
_VMDK_TEXT_AT: Final = _SECTOR
_VMDK_TEXT_BYTES: Final = 20 * _SECTOR
_VMDK_DIRECTORY_AT_END: Final = 0xFFFFFFFFFFFFFFFF
VMDK_TAIL_BYTES: Final = 2 * _SECTOR
"""How much of the end of a VMDK `check_vmdk` wants to see, its last sector filled up."""


def hidden_format(head: bytes) -> str | None:
    """The format that a tool would take a file for which has no format of its own (raw, ISO)."""
    for offset, magic, name in _MAGICS:
        if head.startswith(magic, offset):
            return name
    return "vmdk" if _is_vmdk_descriptor(head) else None


def _is_vmdk_descriptor(head: bytes) -> bool:
    """QEMU takes any text for a VMDK descriptor whose first line that is no comment sets a version."""
    for line in head[:65536].split(b"\n"):
        words = line.strip(b" \r\t\0")
        if words and not words.startswith(b"#"):
            return words.lower().replace(b" ", b"").startswith(b"version=")
    return False


@dataclass(frozen=True, slots=True)
class _Qcow2:
    version: int
    backing_offset: int
    backing_bytes: int
    cluster_bits: int
    size: int
    crypt_method: int
    l1_entries: int
    l1_offset: int
    refcount_offset: int
    refcount_clusters: int
    snapshots: int
    snapshots_offset: int
    features: int
    refcount_order: int
    header_bytes: int

    @classmethod
    def parse(cls, head: bytes) -> _Qcow2:
        """Raises Trap for a header that is cut off or of an unknown version (docs/interop/qcow2.txt)."""
        try:
            version, backing, name, bits, size, crypt, l1, l1_at, ref_at, refs, snaps, snaps_at = (
                struct.unpack_from(">IQIIQIIQQIIQ", head, 4)
            )
            if version not in (2, 3):
                raise Trap(f"qcow version {version} is not supported")
            features, order, length = 0, 4, 72
            if version == 3:
                features, _, _, order, length = struct.unpack_from(">QQQII", head, 72)
        except struct.error:
            raise Trap("it is cut off within its header") from None
        tables = (l1, l1_at, ref_at, refs, snaps, snaps_at)
        return cls(version, backing, name, bits, size, crypt, *tables, features, order, length)


def qcow2_backing_file(head: bytes) -> str | None:
    """The name of the file that a qcow2 disk lies on, as its header has it.

    Raises Trap when there is no header, or the name is beyond `head`.
    """
    if not head.startswith(b"QFI\xfb"):
        raise Trap("it is no qcow2")
    header = _Qcow2.parse(head)
    if not header.backing_offset:
        return None
    name = head[header.backing_offset : header.backing_offset + header.backing_bytes]
    if not name or len(name) != header.backing_bytes:
        raise Trap("the name of its backing file is cut off")
    return os.fsdecode(name)


def check_qcow2(head: bytes, file_bytes: int) -> None:
    """Raise Trap for a qcow2 that leads out of itself, or whose tables cannot be those of an honest image."""
    header = _Qcow2.parse(head)
    if header.backing_offset:
        raise Trap("it has a backing file")
    if not 9 <= header.cluster_bits <= 21:
        raise Trap(f"its clusters have 2^{header.cluster_bits} bytes")
    if header.features & _QCOW2_DATA_FILE or _QCOW2_DATA_FILE_NAME in _extensions(head, header):
        raise Trap("it has an external data file")
    if header.crypt_method:
        raise Trap("it is encrypted")
    if header.features & _QCOW2_CORRUPT:
        raise Trap("it is marked as corrupt")
    if header.version == 3 and (header.refcount_order > 6 or header.header_bytes < 104):
        raise Trap("its header contradicts itself")
    _check_tables(header, file_bytes)


def _check_tables(header: _Qcow2, file_bytes: int) -> None:
    cluster = 1 << header.cluster_bits
    l1_bytes = header.l1_entries * 8
    bytes_of_l1_entry = cluster * (cluster // 8)
    if header.size >= 1 << 63 or l1_bytes > _QCOW2_MAX_L1_BYTES:
        raise Trap(f"its tables are too large ({l1_bytes} bytes for a disk of {header.size})")
    if header.l1_entries * bytes_of_l1_entry < header.size:
        raise Trap("its tables are too small for its disk")
    refcount_bytes = header.refcount_clusters * cluster
    if refcount_bytes > max(_QCOW2_MAX_REFCOUNT_BYTES, cluster) or header.snapshots > _QCOW2_MAX_SNAPSHOTS:
        raise Trap("its tables are too large")
    ends = [header.l1_offset + l1_bytes, header.refcount_offset + 1]
    if header.snapshots:
        ends.append(header.snapshots_offset + 1)
    if max(ends) > file_bytes:
        raise Trap("it is cut off: its tables are beyond its end")


def _extensions(head: bytes, header: _Qcow2) -> set[int]:
    """The kinds of the header's extensions. Raises Trap when they do not end within the first cluster."""
    kinds: set[int] = set()
    offset = header.header_bytes
    limit = min(len(head), 1 << header.cluster_bits)
    while offset + 8 <= limit:
        kind, length = struct.unpack_from(">II", head, offset)
        if kind == 0:
            return kinds
        kinds.add(kind)
        offset += 8 + (length + 7) // 8 * 8
    raise Trap("the extensions of its header have no end")


def check_vmdk(head: bytes, tail: bytes, allowed_types: tuple[str, ...]) -> None:
    """Raise Trap for a VMDK whose data are elsewhere: a subformat that is not allowed (names as in its
    `createType`), extents that are other files, a parent; and for one with two headers that differ."""
    text = _vmdk_descriptor(head)
    types = re.findall(r'^\s*createtype\s*=\s*"([^"\n]*)"', text, re.MULTILINE)
    if len(types) != 1 or types[0] not in {name.lower() for name in allowed_types}:
        raise Trap(f"VMDK subformat {', '.join(types)[:64] or 'unknown'} is not allowed")
    read_by_qemu = head[_VMDK_TEXT_AT : _VMDK_TEXT_AT + _VMDK_TEXT_BYTES].partition(b"\0")[0]
    if "parentfilenamehint" in text or b"parentfilenamehint" in read_by_qemu.lower():
        raise Trap("it has a backing file")
    extents = re.findall(r'^\s*(?:rw|rdonly|noaccess)\s+\d+\s+(\S+)[^"\n]*"([^"\n]*)"', text, re.MULTILINE)
    if len(extents) != 1 or extents[0][0] != "sparse" or not _is_plain_name(extents[0][1]):
        raise Trap("its data are in other files")
    _check_vmdk_footer(head, tail)


def _check_vmdk_footer(head: bytes, tail: bytes) -> None:
    """A VMDK that was written as a stream has a second header at its end, which goes before the first: it
    may differ only in where the tables are."""
    layout = struct.Struct("<4sIIQQQQIQQ")
    if len(head) < layout.size:
        raise Trap("it is cut off within its header")
    *first, _, directory = layout.unpack_from(head)
    if directory != _VMDK_DIRECTORY_AT_END:
        return
    if len(tail) < layout.size or list(layout.unpack_from(tail)[:-2]) != first:
        raise Trap("the header at its end contradicts the first one")


def _is_plain_name(name: str) -> bool:
    return bool(re.fullmatch(r"[^/\\:]+", name))


def _vmdk_descriptor(head: bytes) -> str:
    """The descriptor inside of a sparse VMDK, in small letters; a descriptor that is a file is refused."""
    if not head.startswith(b"KDMV"):
        raise Trap("it is a VMDK descriptor: its data are in other files")
    try:
        first_sector, sectors = struct.unpack_from("<QQ", head, 28)
    except struct.error:
        raise Trap("it is cut off within its header") from None
    start, end = first_sector * _SECTOR, (first_sector + sectors) * _SECTOR
    if not first_sector or not sectors or end > len(head):
        raise Trap("its descriptor is not where it should be")
    try:
        return head[start:end].partition(b"\0")[0].decode("ascii").lower()
    except UnicodeDecodeError:
        raise Trap("its descriptor is no text") from None


def check_vhd(head: bytes) -> None:
    """Raise Trap for a VHD that is the difference to another file."""
    if len(head) < _SECTOR:
        raise Trap("it is cut off within its header")
    (kind,) = struct.unpack_from(">I", head, 60)
    if kind not in (2, 3):
        raise Trap(f"VHD type {kind} is not allowed")


def check_vdi(head: bytes) -> None:
    """Raise Trap for a VDI that is the difference to another file."""
    if len(head) < _SECTOR:
        raise Trap("it is cut off within its header")
    (kind,) = struct.unpack_from("<I", head, 76)
    if kind not in (1, 2):
        raise Trap(f"VDI type {kind} is not allowed")
