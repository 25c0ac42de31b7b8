"""A tiny guest made of Debian packages: boots in seconds without KVM and says on its console what it finds.

    python -m tests.integration.guest_image      build it if it is not there, and print the paths

Disk: BIOS, syslinux, a Debian cloud kernel, and an initramfs of busybox and `guest/init`, whose lines on
ttyS0 read ``GUEST word key=value ...``.  Kernel and initramfs by themselves serve images that name a kernel.
The guest reads its config drive (ISO or VFAT), takes an address by DHCP on every interface, answers the power
button, an NMI (panic, boot) and what libvirt asks a guest agent, and counts its boots on its root disk.
It needs 96 MiB.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.integration.plane import install

#: program looked for -> Debian package that has it
PROGRAMS = {
    "/bin/busybox": "busybox-static",
    "/usr/bin/mcopy": "mtools",
    "/usr/bin/qemu-img": "qemu-utils",
    "/usr/bin/syslinux": "syslinux",
    "/usr/sbin/mkfs.vfat": "dosfstools",
    "/usr/lib/syslinux/mbr/mbr.bin": "syslinux-common",
}
MEMORY_MIB = 96
_KERNEL_PACKAGE = "linux-image-cloud-amd64"
_INIT = Path(__file__).parent / "guest" / "init"
_MODULES = (
    *(
        "virtio_pci",
        "virtio_net",
        "virtio_blk",
        "virtio_scsi",
        "virtio_console",
        "virtio_rng",
        "virtio_balloon",
    ),
    *("sd_mod", "sr_mod", "ata_piix", "ahci", "isofs", "vfat", "nls_ascii", "nls_cp437", "nls_utf8"),
    *("button", "evdev", "e1000"),
)
_COMMAND_LINE = (
    "console=tty0 console=ttyS0 quiet mitigations=off random.trust_cpu=on tsc=unstable no_timer_check"
)
_SECTOR = 512
_PARTITION_START, _PARTITION_MIB = 2048, 24
_LINE = re.compile(r"GUEST (?P<word>[a-z-]+) ?(?P<rest>[^\r\n]*)")


@dataclass(frozen=True)
class GuestImage:
    """Files of one guest; they are shared, so nobody writes to them."""

    qcow2: Path
    raw: Path
    kernel: Path
    initramfs: Path


@dataclass(frozen=True)
class Mark:
    """One line of the guest: ``GUEST boots vda=2`` has the word ``boots`` and a value ``vda``."""

    word: str
    text: str

    @property
    def values(self) -> Mapping[str, str]:
        return dict(part.split("=", 1) for part in self.text.split() if "=" in part)


def marks(console: str, word: str | None = None) -> list[Mark]:
    """What the guest said, oldest first; with ``word`` only the lines that begin with it."""
    found = [Mark(m["word"], m["rest"].strip()) for m in _LINE.finditer(console)]
    return [mark for mark in found if word is None or mark.word == word]


def ensure() -> GuestImage:
    """The guest, built if this recipe has not been followed yet (with apt; root for missing packages)."""
    cache = install.default_cache().parent / f"guest-{_recipe()}"
    image = GuestImage(*(cache / name for name in ("guest.qcow2", "guest.raw", "vmlinuz", "initramfs.gz")))
    with install.locked(cache):
        if not image.qcow2.exists():
            install.ensure_programs(cache / "build.log", PROGRAMS)
            with tempfile.TemporaryDirectory(prefix="computed-guest-") as scratch:
                _build(Path(scratch), image)
    return image


def _recipe() -> str:
    return hashlib.sha256(Path(__file__).read_bytes() + _INIT.read_bytes()).hexdigest()[:12]


def _build(scratch: Path, image: GuestImage) -> None:
    install.say("building the guest image")
    unpacked = _unpack_kernel(scratch)
    (kernel,) = unpacked.glob("boot/vmlinuz-*")
    initramfs = scratch / "initramfs.gz"
    with gzip.GzipFile(initramfs, "wb", mtime=0) as packed:
        packed.write(b"".join(_archive(_tree(unpacked))))
    disk = scratch / "disk.raw"
    _write_disk(disk, scratch / "partition", kernel, initramfs)
    _run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(disk), str(scratch / "disk.qcow2"))
    for made, wanted in (
        (disk, image.raw),
        (kernel, image.kernel),
        (initramfs, image.initramfs),
        # Last: it stands for all of them.
        (scratch / "disk.qcow2", image.qcow2),
    ):
        partial = wanted.with_suffix(".partial")
        shutil.copyfile(made, partial)
        partial.rename(wanted)


def _unpack_kernel(scratch: Path) -> Path:
    """The files of Debian's newest kernel for clouds."""
    if not _download_kernel(scratch):
        # This machine knows no kernel, or one that the archive has no more.
        install.update_packages(scratch / "apt.log")
        if not _download_kernel(scratch):
            raise RuntimeError(f"apt-get download of what {_KERNEL_PACKAGE} depends on failed")
    (package,) = scratch.glob("linux-image-*.deb")
    _run("dpkg-deb", "-x", str(package), str(scratch / "kernel"))
    return scratch / "kernel"


def _download_kernel(scratch: Path) -> bool:
    listed = subprocess.run(
        ["apt-cache", "depends", _KERNEL_PACKAGE], capture_output=True, text=True, timeout=60
    )
    named = re.search(r"Depends: (linux-image-\S+)", listed.stdout)
    if named is None:
        return False
    download = ["apt-get", "download", "-q", named[1]]
    return subprocess.run(download, cwd=scratch, capture_output=True, timeout=300).returncode == 0


@dataclass(frozen=True)
class _Entry:
    mode: int
    content: bytes = b""


def _tree(kernel: Path) -> dict[str, _Entry]:
    """Path inside the initramfs -> what stands there."""
    directories = ("bin", "dev", "proc", "sys", "tmp", "run", "etc", "mnt", "modules", "root")
    tree = {name: _Entry(0o040755) for name in directories}
    tree["init"] = _Entry(0o100755, _INIT.read_bytes())
    tree["bin/busybox"] = _Entry(0o100755, Path("/bin/busybox").read_bytes())
    modules = _modules(kernel)
    for name, content in modules.items():
        tree[f"modules/{name}.ko"] = _Entry(0o100644, content)
    tree["modules/order"] = _Entry(0o100644, "".join(f"{name}\n" for name in modules).encode())
    return tree


def _modules(kernel: Path) -> dict[str, bytes]:
    """The wanted modules and those they need, in an order in which they can be loaded."""
    files = {
        path.name.partition(".")[0].replace("-", "_"): path for path in kernel.glob("lib/modules/**/*.ko*")
    }
    ordered: dict[str, bytes] = {}

    def add(name: str) -> None:
        path = files.get(name.replace("-", "_"))
        # One that has no file is part of the kernel itself.
        if path is None or name in ordered:
            return
        content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        depends = re.search(rb"\0depends=([^\0]*)\0", content)
        for needed in depends[1].decode().split(",") if depends else ():
            add(needed.replace("-", "_"))
        ordered[name] = content

    for name in _MODULES:
        add(name)
    return ordered


def _archive(tree: Mapping[str, _Entry]) -> Iterator[bytes]:
    """A cpio archive in the format that kernels unpack ("newc")."""

    def record(number: int, name: str, entry: _Entry) -> bytes:
        fields = (number, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        return _padded(head) + _padded(entry.content)

    for number, (name, entry) in enumerate(tree.items(), 1):
        yield record(number, name, entry)
    yield record(0, "TRAILER!!!", _Entry(0))


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _write_disk(disk: Path, partition: Path, kernel: Path, initramfs: Path) -> None:
    """One FAT partition behind a master boot record; no loop device, no root."""
    hidden = ["-h", str(_PARTITION_START)]
    size = str(_PARTITION_MIB * 1024)
    _run("mkfs.vfat", "-F", "16", "-n", "GUEST", *hidden, "-C", str(partition), size)
    config = partition.with_name("syslinux.cfg")
    config.write_text(
        "DEFAULT guest\nPROMPT 0\nTIMEOUT 0\n"
        f"LABEL guest\nLINUX vmlinuz\nINITRD initrd.gz\nAPPEND {_COMMAND_LINE}\n"
    )
    for source, name in ((kernel, "vmlinuz"), (initramfs, "initrd.gz"), (config, "syslinux.cfg")):
        _run("mcopy", "-i", str(partition), str(source), f"::{name}")
    _run("syslinux", "--install", str(partition))
    sectors = partition.stat().st_size // _SECTOR
    code = Path("/usr/lib/syslinux/mbr/mbr.bin").read_bytes()
    # Bootable, FAT16 with 32-bit addresses; cylinders and heads are of no use to anybody.
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0E, b"\xfe\xff\xff", _PARTITION_START, sectors)
    record = code.ljust(446, b"\0") + entry.ljust(64, b"\0") + b"\x55\xaa"
    with disk.open("wb") as whole:
        whole.write(record)
        whole.seek(_PARTITION_START * _SECTOR)
        whole.write(partition.read_bytes())


def _run(*argv: str) -> None:
    """One tool of the host; raises RuntimeError with what it said."""
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK": "1"}
    done = subprocess.run(list(argv), env=env, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr or done.stdout}")


if __name__ == "__main__":
    for field, path in dataclasses.asdict(ensure()).items():
        print(field, path)
