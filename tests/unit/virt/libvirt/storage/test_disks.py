"""Local disks, made by the real programs on a real directory."""

import errno
import json
import os
import shutil
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from computed import errors
from computed.virt.libvirt.storage import disk_info
from computed.virt.libvirt.storage.cache import CachePolicy, ImageCache
from computed.virt.libvirt.storage.disks import DiskOrder, Disks
from computed.virt.libvirt.storage.paths import CachePaths, InstancePaths
from computed.virt.libvirt.storage.plan import StorageOptions, plan
from computed.virt.libvirt.storage.qemu_img import Limits, QemuImg
from computed.virt.specs import DiskSpec, GuestSpec
from tests.unit.virt.libvirt.storage.hostile import MIB, qcow2_bytes, qemu_image
from tests.unit.virt.libvirt.storage.sources import IMAGE_ID, Shop

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-img") is None
    or shutil.which("mkfs.vfat", path=os.environ["PATH"] + ":/usr/sbin") is None,
    reason="qemu-img or mkfs.vfat is not installed",
)
UUID = "11111111-2222-4333-8444-555555555555"
RAW = b"raw data of a disk".ljust(MIB, b"\0")
GIB = 1 << 30
ROOT = DiskSpec("image", None, 1, boot_index=0, image_id=IMAGE_ID)


class Host:
    """A directory of instances with what makes disks in it."""

    def __init__(self, path, data=RAW, disk_format="raw", *, force_raw=True, **more):
        self.paths = InstancePaths(path, UUID)
        self.tool = QemuImg(Limits(), cache_mode="writeback")
        self.cache = ImageCache(CachePaths(path), self.tool, CachePolicy(force_raw=force_raw))
        self.disks = Disks(self.cache, self.tool)
        self.shop = Shop(data)
        self.order = DiskOrder(
            self.paths, lambda image_id: self.shop.source(disk_format, image_id=image_id), **more
        )

    def create(self, *specs, local_format="qcow2", virt_type="kvm"):
        instance = SimpleNamespace(uuid=UUID, config_drive="")
        spec = GuestSpec(instance=instance, image_meta=None, network_info=[], disks=specs)
        plans = plan(spec, StorageOptions(virt_type=virt_type, local_format=local_format), self.paths)
        return self.disks.create(plans, self.order)

    def formats(self):
        return json.loads(self.paths.disk_info.read_text())

    def files(self):
        return sorted(path.name for path in self.paths.directory.iterdir())


def test_a_root_disk_lies_on_the_cached_image(tmp_path):
    host = Host(tmp_path)
    assert host.create(ROOT) == [host.paths.disk()]
    info = host.disks.info(host.paths, host.paths.disk())
    assert info.backing_file == str(host.cache.paths.image(IMAGE_ID))
    assert info.backing_format == "raw"
    assert info.virtual_size_bytes == GIB
    assert host.formats() == {str(host.paths.disk()): "qcow2"}


@pytest.mark.parametrize(("force_raw", "found"), [(True, "raw"), (False, "qcow2")])
def test_a_flat_root_disk_is_a_copy_of_its_own_format(force_raw, found, tmp_path):
    data = qemu_image(tmp_path / "made", "qcow2", size="4M").read_bytes()
    host = Host(tmp_path, data, "qcow2", force_raw=force_raw)
    host.create(ROOT, local_format="raw")
    info = host.disks.info(host.paths, host.paths.disk())
    assert (info.format, info.virtual_size_bytes, info.backing_file) == (found, GIB, None)
    assert host.formats() == {str(host.paths.disk()): found}


def test_a_root_disk_without_a_size_is_as_large_as_its_image(tmp_path):
    host = Host(tmp_path)
    host.create(DiskSpec("image", None, None, boot_index=0, image_id=IMAGE_ID))
    assert host.disks.info(host.paths, host.paths.disk()).virtual_size_bytes == MIB


@pytest.mark.parametrize(("local_format", "bases"), [("qcow2", 2), ("raw", 0)])
def test_ephemeral_and_swap(local_format, bases, tmp_path):
    host = Host(tmp_path)
    specs = (
        DiskSpec("blank", None, 1),
        DiskSpec("blank", None, 1),
        DiskSpec("swap", None, None, swap_mib=16),
    )
    assert len(host.create(*specs, local_format=local_format)) == 3
    assert host.files() == ["disk.eph0", "disk.eph1", "disk.info", "disk.swap"]
    assert set(host.formats().values()) == {local_format}
    base = host.cache.paths.base
    made = sorted(path.name for path in base.iterdir()) if base.exists() else []
    assert len(made) == bases
    extracted = tmp_path / "swap.raw"
    host.disks.extract(host.paths, host.paths.disk("disk.swap"), extracted, "raw")
    assert extracted.stat().st_size == 16 * MIB
    assert extracted.read_bytes()[4086:4096] == b"SWAPSPACE2"
    if made:
        assert made[1] == "swap_16"


def test_making_twice_makes_nothing_new(tmp_path):
    host = Host(tmp_path)
    host.create(ROOT)
    before = host.paths.disk().stat()
    assert host.create(ROOT) == []
    assert host.paths.disk().stat().st_ino == before.st_ino


def test_growing(tmp_path):
    host = Host(tmp_path)
    for local_format in ("qcow2", "raw"):
        host.paths.remove()
        host.create(ROOT, local_format=local_format)
        assert host.disks.grow(host.paths, host.paths.disk(), 2 * GIB)
        assert not host.disks.grow(host.paths, host.paths.disk(), GIB)
        assert host.disks.info(host.paths, host.paths.disk()).virtual_size_bytes == 2 * GIB


def test_a_snapshot_holds_all_of_the_disk(tmp_path):
    host = Host(tmp_path)
    host.create(DiskSpec("image", None, None, boot_index=0, image_id=IMAGE_ID))
    host.disks.extract(host.paths, host.paths.disk(), tmp_path / "snapshot", "raw")
    assert (tmp_path / "snapshot").read_bytes() == RAW
    host.disks.extract(host.paths, host.paths.disk(), tmp_path / "s.qcow2", "qcow2", compress=True)
    assert host.tool.info(tmp_path / "s.qcow2", "qcow2").backing_file is None


def test_a_disk_the_guest_has_written_over_is_what_it_was(tmp_path):
    """CVE-2013-2096 and its kin: the guest writes a qcow2 header to its raw disk."""
    host = Host(tmp_path)
    host.create(ROOT, local_format="raw")
    with host.paths.disk().open("r+b") as disk:
        disk.write(qcow2_bytes(backing=b"/etc/passwd"))
    info = host.disks.info(host.paths, host.paths.disk())
    assert (info.format, info.backing_file) == ("raw", None)
    host.disks.grow(host.paths, host.paths.disk(), 2 * GIB)
    host.disks.extract(host.paths, host.paths.disk(), tmp_path / "snapshot", "raw")
    with (tmp_path / "snapshot").open("rb") as snapshot:
        assert b"root:" not in snapshot.read(MIB)


def test_a_disk_without_a_recorded_format_is_not_guessed_at(tmp_path):
    host = Host(tmp_path)
    host.create(ROOT)
    host.paths.disk_info.unlink()
    with pytest.raises(errors.InvalidDiskInfo, match="no format"):
        host.disks.grow(host.paths, host.paths.disk(), 2 * GIB)


@pytest.mark.parametrize(
    ("data", "declared", "error"),
    [
        (qcow2_bytes(backing=b"/etc/passwd"), "qcow2", errors.ImageUnacceptable),
        (qcow2_bytes(size=1 << 40, l1_entries=2048), "qcow2", errors.FlavorDiskSmallerThanImage),
    ],
)
def test_of_a_bad_image_nothing_is_left(data, declared, error, tmp_path):
    host = Host(tmp_path, data, declared)
    with pytest.raises(error):
        host.create(ROOT)
    assert host.files() == []
    assert list(host.cache.paths.base.iterdir()) == []


def test_a_full_disk_is_named_and_nothing_is_left_of_the_disk(tmp_path, monkeypatch):
    host = Host(tmp_path)

    def full(path, *_):
        path.write_bytes(b"half")
        raise errors.ImageToolFailed("qemu-img create: No space left on device")

    monkeypatch.setattr(host.tool, "create_overlay", full)
    with pytest.raises(errors.ImageToolFailed, match="No space"):
        host.create(ROOT)
    assert host.files() == []
    monkeypatch.undo()

    def no_record(*_):
        raise errors.DiskInfoReadWriteFail(reason=os.strerror(errno.EROFS))

    monkeypatch.setattr(disk_info, "remember", no_record)
    with pytest.raises(errors.DiskInfoReadWriteFail, match="Read-only"):
        host.create(ROOT)
    assert host.files() == []


def test_a_base_that_has_vanished_is_fetched_again(tmp_path):
    host = Host(tmp_path)
    host.create(ROOT)
    source = host.shop.source()
    assert not host.disks.restore_base(host.paths, host.paths.disk(), source)
    host.cache.paths.image(IMAGE_ID).unlink()
    assert host.disks.restore_base(host.paths, host.paths.disk(), source)
    assert host.cache.has(IMAGE_ID)
    host.disks.extract(host.paths, host.paths.disk(), tmp_path / "out", "raw")


def test_another_image_is_not_put_under_a_disk(tmp_path):
    host = Host(tmp_path)
    host.create(ROOT)
    host.cache.paths.image(IMAGE_ID).unlink()
    with pytest.raises(errors.ImageUnacceptable, match="not of this image"):
        host.disks.restore_base(host.paths, host.paths.disk(), host.shop.source(image_id="another"))


def test_space_is_taken_beforehand_where_it_is_asked_for(tmp_path):
    host = Host(tmp_path, is_preallocating=True)
    host.create(DiskSpec("swap", None, None, swap_mib=16), local_format="raw")
    assert host.paths.disk("disk.swap").stat().st_blocks * 512 >= 16 * MIB


def test_a_kernel(tmp_path):
    host = Host(tmp_path, b"kernel" * 100, "aki")
    path = host.disks.fetch_plain(IMAGE_ID, "kernel", host.order)
    assert path == host.paths.directory / "kernel"
    assert path.read_bytes() == b"kernel" * 100
    assert host.formats() == {str(path): "raw"}
    host.disks.fetch_plain(IMAGE_ID, "kernel", host.order)
    assert host.shop.reads == [0]


def test_who_waits_for_a_kernel_is_idle(tmp_path):
    idle = threading.Event()

    @contextmanager
    def while_idle():
        idle.set()
        yield

    host = Host(tmp_path, b"kernel" * 100, "aki", while_idle=while_idle)
    host.shop.gate = threading.Event()

    def fetch(name):
        thread = threading.Thread(target=lambda: host.disks.fetch_plain(IMAGE_ID, name, host.order))
        thread.start()
        return thread

    threads = [fetch("kernel")]
    assert host.shop.started.wait(10)
    assert not idle.is_set()
    threads.append(fetch("kernel.rescue"))
    waits = idle.wait(5)
    host.shop.gate.set()
    for thread in threads:
        thread.join(30)
    assert waits
    assert (host.files(), host.shop.reads) == (["disk.info", "kernel", "kernel.rescue"], [0])


def _file_system(tmp_path, size_mib=8):
    """An ext4 file system with a file in it, as bytes."""
    tree, path = tmp_path / "tree", tmp_path / "tree.img"
    tree.mkdir()
    (tree / "hello").write_text("from the image")
    env = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, path, f"{size_mib}M"], check=True, env=env
    )
    return path.read_bytes()


@pytest.fixture
def short_path():
    """Not every name is short enough for a loop device."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.mark.parametrize(("declared", "force_raw"), [("raw", True), ("qcow2", True), ("qcow2", False)])
def test_the_root_of_a_container_is_a_raw_file_system_as_large_as_its_disk(
    declared, force_raw, tmp_path, short_path
):
    data = _file_system(tmp_path)
    if declared == "qcow2":
        (tmp_path / "plain").write_bytes(data)
        command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", tmp_path / "plain", tmp_path / "image"]
        subprocess.run(command, check=True)
        data = (tmp_path / "image").read_bytes()
    host = Host(short_path, data, declared, force_raw=force_raw)
    host.create(ROOT, local_format="raw", virt_type="lxc")
    disk = host.paths.disk()
    assert host.formats() == {str(disk): "raw"} and disk.stat().st_size == GIB
    with disk.open("rb") as file:
        file.seek(1024)
        superblock = file.read(1024)
    blocks, block_size = int.from_bytes(superblock[4:8], "little"), 1024 << superblock[24]
    assert GIB - 128 * MIB < blocks * block_size <= GIB
    shown = subprocess.run(
        ["/usr/sbin/debugfs", "-R", "cat hello", disk], capture_output=True, check=True, text=True
    )
    assert shown.stdout == "from the image"
    assert host.paths.container_link.resolve() == disk
    assert host.create(ROOT, local_format="raw", virt_type="lxc") == []
    assert host.paths.remove() and not host.paths.container_link.is_symlink()


_PARTITION = b"\x80\0\0\0\x83\0\0\0" + (1).to_bytes(4, "little") + (100).to_bytes(4, "little")
_PARTITIONED = bytes(446) + _PARTITION + bytes(48) + b"\x55\xaa" + bytes(MIB)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (RAW, "no file system"),
        (_PARTITIONED, "has partitions"),
        (bytes(1080) + b"\x53\xef" + bytes(MIB), "e2fsck"),
    ],
)
def test_what_no_container_can_start_from_is_refused(data, reason, short_path):
    host = Host(short_path, data)
    with pytest.raises((errors.ImageUnacceptable, errors.ImageToolFailed), match=reason):
        host.create(ROOT, local_format="raw", virt_type="lxc")
    assert not host.paths.disk().exists() and not host.paths.disk_info.exists()


def test_a_name_that_a_loop_device_cannot_have_and_one_that_is_taken_are_refused(tmp_path, short_path):
    host = Host(tmp_path / ("long" * 10), RAW)
    with pytest.raises(errors.InvalidDiskInfo, match="too long"):
        host.create(ROOT, local_format="raw", virt_type="lxc")
    host = Host(short_path, RAW)
    host.paths.container_link.symlink_to("/etc/passwd")
    with pytest.raises(errors.InvalidDiskInfo, match="there already"):
        host.create(ROOT, local_format="raw", virt_type="lxc")
    assert host.paths.remove() and host.paths.container_link.is_symlink()
