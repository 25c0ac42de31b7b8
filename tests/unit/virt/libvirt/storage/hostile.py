"""Images crafted after the published attacks on nova's image handling, and honest ones beside them.

Each maker writes one file; `SECRET` is the file of the host that an attack wants to read. No tool is
called that would open the hostile part: headers are written byte by byte.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECRET = "/etc/passwd"
MIB = 1 << 20
CLUSTER = 65536


def qcow2_bytes(
    *,
    version: int = 3,
    backing: bytes = b"",
    cluster_bits: int = 16,
    size: int = MIB,
    crypt: int = 0,
    l1_entries: int = 1,
    l1_offset: int = 3 * CLUSTER,
    refcount_clusters: int = 1,
    snapshots: int = 0,
    snapshots_offset: int = 0,
    features: int = 0,
    refcount_order: int = 4,
    extensions: bytes = b"",
    total: int = 4 * CLUSTER,
) -> bytes:
    """A qcow2 file made by hand after docs/interop/qcow2.txt."""
    length = 104 if version == 3 else 72
    extensions += struct.pack(">II", 0, 0)
    backing_offset = length + len(extensions) if backing else 0
    header = b"QFI\xfb" + struct.pack(
        ">IQIIQIIQQIIQ",
        version,
        backing_offset,
        len(backing),
        cluster_bits,
        size,
        crypt,
        l1_entries,
        l1_offset,
        CLUSTER,
        refcount_clusters,
        snapshots,
        snapshots_offset,
    )
    if version == 3:
        header += struct.pack(">QQQII", features, 0, 0, refcount_order, length)
    return (header + extensions + backing).ljust(total, b"\0")


def extension(kind: int, text: bytes) -> bytes:
    return struct.pack(">II", kind, len(text)) + text.ljust((len(text) + 7) // 8 * 8, b"\0")


def vmdk_descriptor(create_type: str, extents: str, more: str = "") -> bytes:
    return (
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        f'createType="{create_type}"\n{more}\n# Extent description\n{extents}\n'
        '# The Disk Data Base\n#DDB\nddb.virtualHWVersion = "4"\n'
    ).encode()


_AT_END = 0xFFFFFFFFFFFFFFFF


def _vmdk_header(sectors: int, descriptor_sectors: int, directory: int) -> bytes:
    numbers = (3, 3, sectors, 128, 1, descriptor_sectors, 512, 21, directory, 128)
    return (b"KDMV" + struct.pack("<IIQQQQIQQQ", *numbers)).ljust(512, b"\0")


def sparse_vmdk(descriptor: bytes, sectors: int = 2048, *, descriptor_sectors: int = 20) -> bytes:
    """A sparse VMDK with this descriptor inside, which the header says is so long."""
    header = _vmdk_header(sectors, descriptor_sectors, 26)
    return (header + descriptor.ljust(20 * 512, b"\0")).ljust(MIB, b"\0")


def streamed_vmdk(descriptor: bytes, *, at_end: int = 2048, descriptor_sectors_at_end: int = 20) -> bytes:
    """A VMDK whose second header is at its end and goes before the first one; `at_end` is the size that
    it gives the disk, in sectors."""
    start = _vmdk_header(2048, 20, _AT_END) + descriptor.ljust(20 * 512, b"\0")
    marker = struct.pack("<QII", 1, 0, 3).ljust(512, b"\0")
    footer = marker + _vmdk_header(at_end, descriptor_sectors_at_end, 26) + bytes(512)
    return start.ljust(MIB - len(footer), b"\0") + footer


def partition_table(*entries: tuple[int, bytes, int, int, int]) -> bytes:
    """A boot sector; each entry is (boot flag, first CHS, kind, first sector, sectors)."""
    sector = bytearray(512)
    for number, (boot, chs, kind, first, count) in enumerate(entries):
        struct.pack_into("<B3sB3sII", sector, 446 + 16 * number, boot, chs, kind, b"\xff" * 3, first, count)
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


GPT = partition_table((0, b"\x00\x02\x00", 0xEE, 1, 0xFFFFFFFF))
MBR = partition_table((0x80, b"\x01\x01\x00", 0x83, 2048, 4096))


def iso_bytes(system_area: bytes = b"") -> bytes:
    volume = b"\x01CD001\x01".ljust(80, b"\0") + struct.pack("<I", 20) + struct.pack(">I", 20)
    volume = volume.ljust(128, b"\0") + struct.pack("<H", 2048) + struct.pack(">H", 2048)
    volume = volume.ljust(2048, b"\0") + b"\xffCD001\x01".ljust(2048, b"\0")
    return (system_area.ljust(32768, b"\0") + volume).ljust(20 * 2048, b"\0") + b"\0" * 65536


def vhd_bytes(kind: int) -> bytes:
    footer = b"conectix" + struct.pack(">IIQI4sI4s", 2, 0x10000, 512, 0, b"tst ", 1, b"Wi2k")
    footer += struct.pack(">QQ", MIB, MIB) + struct.pack(">HBB", 4, 16, 32) + struct.pack(">I", kind)
    return footer.ljust(MIB, b"\0")


def vdi_bytes(kind: int) -> bytes:
    header = b"<<< QEMU VM Virtual Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe"
    header += struct.pack("<III", 0x10001, 400, kind)
    return header.ljust(368, b"\0") + struct.pack("<Q", MIB) + b"\0" * MIB


def vhdx_bytes() -> bytes:
    return b"vhdxfile".ljust(MIB, b"\0")


@dataclass(frozen=True)
class Attack:
    """One hostile image: how it is declared, its bytes, and words of the reason it is refused for."""

    name: str
    declared: str
    contents: Callable[[], bytes]
    reason: str

    def write(self, directory: Path) -> Path:
        path = directory / "image"
        path.write_bytes(self.contents())
        return path


def attack(name: str, declared: str, reason: str, contents: bytes | Callable[[], bytes]) -> Attack:
    return Attack(name, declared, contents if callable(contents) else lambda: contents, reason)


_HOST_FILE = SECRET.encode()
_FLAT = f'RW 8 FLAT "{SECRET}" 0'
_SPARSE = 'RW 2048 SPARSE "disk.vmdk"'
_EVIL_JSON = b'json:{"driver":"raw","file":{"driver":"file","filename":"' + _HOST_FILE + b'"}}'

ATTACKS = (
    # qcow2 that names a file of the host: CVE-2015-5163 and before it CVE-2013-1922
    attack("qcow2 with a backing file", "qcow2", "backing file", qcow2_bytes(backing=_HOST_FILE)),
    attack("old qcow2 with a backing file", "qcow2", "backing", qcow2_bytes(version=2, backing=_HOST_FILE)),
    attack("qcow2 backed by a json: name", "qcow2", "backing", qcow2_bytes(backing=_EVIL_JSON)),
    attack("qcow2 backed over the network", "qcow2", "backing", qcow2_bytes(backing=b"nbd://10.0.0.1/x")),
    # qcow2 whose data are a file of the host: CVE-2024-32498
    attack(
        "qcow2 with a data file",
        "qcow2",
        "data file",
        qcow2_bytes(features=4, extensions=extension(0x44415441, _HOST_FILE)),
    ),
    attack(
        "qcow2 with the name of a data file and no flag",
        "qcow2",
        "data file",
        qcow2_bytes(extensions=extension(0x44415441, _HOST_FILE)),
    ),
    attack(
        "qcow2 with a data file behind a thousand extensions",
        "qcow2",
        "data file",
        qcow2_bytes(extensions=extension(0x12345678, b"x") * 1000 + extension(0x44415441, _HOST_FILE)),
    ),
    # images that cost memory, time or disk: CVE-2014-0143 and its kin, CVE-2015-5162
    attack("qcow2 with a huge disk and no tables for it", "qcow2", "tables", qcow2_bytes(size=1 << 60)),
    attack("qcow2 of negative size", "qcow2", "tables", qcow2_bytes(size=1 << 63, l1_entries=0xFFFFFFFF)),
    attack("qcow2 with a huge table", "qcow2", "tables", qcow2_bytes(l1_entries=0x08000000)),
    attack("qcow2 with huge reference counts", "qcow2", "tables", qcow2_bytes(refcount_clusters=1 << 30)),
    attack("qcow2 with millions of snapshots", "qcow2", "tables", qcow2_bytes(snapshots=1 << 24)),
    attack(
        "qcow2 with snapshots beyond its end",
        "qcow2",
        "cut off",
        qcow2_bytes(snapshots=1, snapshots_offset=1 << 40),
    ),
    attack("qcow2 with huge clusters", "qcow2", "clusters", qcow2_bytes(cluster_bits=62)),
    attack("qcow2 with tiny clusters", "qcow2", "clusters", qcow2_bytes(cluster_bits=0)),
    attack(
        "qcow2 with a reference count of 2^64 bits", "qcow2", "contradicts", qcow2_bytes(refcount_order=64)
    ),
    attack("qcow2 with unknown features", "qcow2", "unknown_features", qcow2_bytes(features=1 << 40)),
    attack("qcow2 that is encrypted", "qcow2", "encrypted", qcow2_bytes(crypt=2)),
    attack("qcow2 that is corrupt", "qcow2", "corrupt", qcow2_bytes(features=2)),
    attack("qcow2 of version 1", "qcow2", "version 1", qcow2_bytes(version=1)),
    attack("qcow2 of version 9", "qcow2", "version 9", qcow2_bytes(version=9)),
    # cut off
    attack("qcow2 cut off in its header", "qcow2", "contents are raw|header", qcow2_bytes()[:90]),
    attack("qcow2 cut off before its tables", "qcow2", "cut off", qcow2_bytes()[:CLUSTER]),
    attack("qcow2 of four bytes", "qcow2", "contents are raw", b"QFI\xfb"),
    attack(
        "VMDK cut off in its descriptor",
        "vmdk",
        "contents are raw|descriptor|cut off",
        sparse_vmdk(vmdk_descriptor("monolithicSparse", _SPARSE))[:700],
    ),
    attack("an empty qcow2", "qcow2", "contents are raw", b""),
    # VMDK whose extents are files of the host: CVE-2022-47951
    attack(
        "VMDK flat descriptor",
        "vmdk",
        "subformat|other files|safety",
        vmdk_descriptor("monolithicFlat", _FLAT),
    ),
    attack(
        "VMDK flat descriptor called raw",
        "raw",
        "contents are vmdk|vmdk image",
        vmdk_descriptor("monolithicFlat", _FLAT),
    ),
    attack(
        "VMDK flat behind a sparse header",
        "vmdk",
        "subformat",
        sparse_vmdk(vmdk_descriptor("monolithicFlat", _FLAT)),
    ),
    attack(
        "VMDK sparse with a flat extent",
        "vmdk",
        "other files",
        sparse_vmdk(vmdk_descriptor("monolithicSparse", _FLAT)),
    ),
    attack(
        "VMDK stream with a flat extent",
        "vmdk",
        "other files",
        sparse_vmdk(vmdk_descriptor("streamOptimized", _FLAT)),
    ),
    attack(
        "VMDK sparse with a flat extent beside its own",
        "vmdk",
        "other files",
        sparse_vmdk(vmdk_descriptor("monolithicSparse", _SPARSE + "\n" + 'RW 8 FLAT "shadow" 0')),
    ),
    attack(
        "VMDK with an extent elsewhere",
        "vmdk",
        "other files",
        sparse_vmdk(vmdk_descriptor("monolithicSparse", 'RW 8 SPARSE "../x"')),
    ),
    attack(
        "VMDK with an extent over the network",
        "vmdk",
        "other files",
        sparse_vmdk(vmdk_descriptor("monolithicSparse", 'RW 8 SPARSE "nbd:host"')),
    ),
    attack(
        "VMDK without an extent", "vmdk", "other files", sparse_vmdk(vmdk_descriptor("monolithicSparse", ""))
    ),
    attack(
        "VMDK with a parent",
        "vmdk",
        "backing file",
        sparse_vmdk(vmdk_descriptor("monolithicSparse", _SPARSE, f'parentFileNameHint="{SECRET}"')),
    ),
    attack(
        "VMDK with a parent behind the descriptor that its header tells of",
        "vmdk",
        "backing file",
        sparse_vmdk(
            vmdk_descriptor("monolithicSparse", _SPARSE).ljust(512, b"\n")
            + f'parentFileNameHint="{SECRET}"'.encode(),
            descriptor_sectors=1,
        ),
    ),
    attack(
        "VMDK that is larger by its second header",
        "vmdk",
        "contradicts",
        streamed_vmdk(vmdk_descriptor("streamOptimized", _SPARSE), at_end=1 << 31),
    ),
    attack(
        "VMDK with another descriptor by its second header",
        "vmdk",
        "contradicts",
        streamed_vmdk(vmdk_descriptor("streamOptimized", _SPARSE), descriptor_sectors_at_end=21),
    ),
    attack(
        "VMDK whose second header is missing",
        "vmdk",
        "contradicts",
        streamed_vmdk(vmdk_descriptor("streamOptimized", _SPARSE)) + bytes(512),
    ),
    attack(
        "VMDK with two subformats",
        "vmdk",
        "subformat",
        sparse_vmdk(vmdk_descriptor("monolithicSparse", _SPARSE, 'createType="monolithicFlat"')),
    ),
    attack(
        "VMDK of a subformat nobody knows",
        "vmdk",
        "subformat",
        sparse_vmdk(vmdk_descriptor("vmfsRaw", _SPARSE)),
    ),
    attack(
        "VMDK with a descriptor that is not text",
        "vmdk",
        "no text|descriptor|contents",
        sparse_vmdk(b"\xff\xfe" + vmdk_descriptor("monolithicSparse", _SPARSE)),
    ),
    # raw that is none: a tool that guesses would follow it (CVE-2024-40767, CVE-2008-1945)
    attack(
        "raw that is a qcow2 with a backing file",
        "raw",
        "contents are qcow2",
        qcow2_bytes(backing=_HOST_FILE),
    ),
    attack("raw that is a plain qcow2", "raw", "contents are qcow2", qcow2_bytes()),
    attack(
        "raw with the start of a qcow2 header",
        "raw",
        "header of a qcow image",
        qcow2_bytes(backing=_HOST_FILE)[:300],
    ),
    attack(
        "raw that is a sparse VMDK",
        "raw",
        "contents are vmdk",
        sparse_vmdk(vmdk_descriptor("monolithicSparse", _SPARSE)),
    ),
    attack(
        "raw that QEMU reads as a VMDK descriptor",
        "raw",
        "vmdk",
        b'#!/bin/sh\n\n# harmless\nversion = 1\ncreateType="monolithicFlat"\n'
        + _FLAT.encode()
        + b"\n"
        + b" " * 4096,
    ),
    attack(
        "raw that QEMU reads as a VMDK descriptor, and that is no ASCII",
        "raw",
        "header of a vmdk image",
        b'# \xff\n\nversion=1\ncreateType="monolithicFlat"\n' + _FLAT.encode() + b"\n" + b" " * 4096,
    ),
    attack("raw that is a VMDK of ESX", "raw", "vmdk image", b"COWD".ljust(4096, b"\0")),
    attack("raw that is a QED", "raw", "contents are qed", b"QED\0".ljust(4096, b"\0")),
    attack("raw that is a Parallels disk", "raw", "parallels image", b"WithouFreSpacExt".ljust(4096, b"\0")),
    attack("raw that is a Bochs disk", "raw", "bochs image", b"Bochs Virtual HD Image".ljust(4096, b"\0")),
    attack("raw that is a LUKS volume", "raw", "luks", b"LUKS\xba\xbe\0\x01".ljust(4096, b"\0")),
    attack("raw that is a VHD", "raw", "contents are vhd", vhd_bytes(3)),
    attack("raw that is a VDI", "raw", "contents are vdi", vdi_bytes(1)),
    attack("raw that is an ISO", "raw", "contents are iso", iso_bytes()),
    # two things at once
    attack(
        "ISO that is also a qcow2",
        "iso",
        "iso and as qcow2",
        iso_bytes(qcow2_bytes(backing=_HOST_FILE)[:1024]),
    ),
    attack("raw that is an ISO and a qcow2", "raw", "iso and as qcow2", iso_bytes(qcow2_bytes()[:1024])),
    attack("ISO that is also a VMDK of ESX", "iso", "vmdk image", iso_bytes(b"COWD")),
    attack(
        "qcow2 with a partition table in its header",
        "qcow2",
        "gpt and as qcow2",
        qcow2_bytes()[:446] + GPT[446:] + qcow2_bytes()[512:],
    ),
    attack(
        "raw disk with a Parallels header", "raw", "parallels", b"WithoutFreeSpace" + GPT[16:] + b"\0" * MIB
    ),
    attack("raw that is an ISO with a partition table", "raw", "contents are iso", iso_bytes(GPT)),
    # partition tables that are none
    attack(
        "GPT with a wrong boot flag",
        "raw",
        "safety",
        partition_table((0x55, b"\x00\x02\x00", 0xEE, 1, 9)) + b"\0" * MIB,
    ),
    attack(
        "GPT that starts elsewhere",
        "raw",
        "safety",
        partition_table((0, b"\x00\x02\x00", 0xEE, 7, 9)) + b"\0" * MIB,
    ),
    attack("boot sector without partitions", "raw", "safety", partition_table() + b"\0" * MIB),
    # differences to other files
    attack("VHD that is a difference", "vhd", "VHD type 4", vhd_bytes(4)),
    attack("VDI that is a difference", "vdi", "VDI type 4", vdi_bytes(4)),
    attack("VHDX without its tables", "vhdx", "cut off|safety|contents|broken", vhdx_bytes()),
    # wrong or unknown declarations
    attack("qcow2 called vmdk", "vmdk", "declared as vmdk", qcow2_bytes()),
    attack("raw called qcow2", "qcow2", "declared as qcow2", b"\0" * 4096),
    attack("kernel image that is a qcow2", "ami", "contents are qcow2", qcow2_bytes(backing=_HOST_FILE)),
    attack("a format that may name files: qed", "qed", "not supported", b"QED\0".ljust(4096, b"\0")),
    attack("a format nobody knows", "ploop", "not supported", b"\0" * 4096),
    attack("a format with a protocol in its name", "raw,file.filename=x", "not supported", b"\0" * 4096),
    attack("no format", "", "not supported", b"\0" * 4096),
)


def qemu_image(path: Path, image_format: str, *options: str, size: str = "1M") -> Path:
    """An honest image, made by the real program."""
    words = [word for option in options for word in ("-o", option)]
    subprocess.run(["qemu-img", "create", "-q", "-f", image_format, *words, path, size], check=True)
    return path
