"""The image cache: one download however many want it, nothing hostile in it, nothing left of what failed."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from computed import errors
from computed.lib.slots import Slots
from computed.virt.libvirt.storage.cache import BaseLocks, CachePolicy, ImageCache
from computed.virt.libvirt.storage.paths import CachePaths, image_file_name
from computed.virt.libvirt.storage.qemu_img import Limits, QemuImg
from tests.unit.virt.libvirt.storage.hostile import (
    ATTACKS,
    MBR,
    MIB,
    qcow2_bytes,
    qemu_image,
    sparse_vmdk,
    vmdk_descriptor,
)
from tests.unit.virt.libvirt.storage.sources import IMAGE_ID, Shop

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
RAW = b"raw data of a disk".ljust(MIB, b"\0")


@pytest.fixture
def paths(tmp_path):
    return CachePaths(tmp_path)


@pytest.fixture
def tool():
    return QemuImg(Limits(), cache_mode="writeback")


@pytest.fixture
def cache(paths, tool):
    return ImageCache(paths, tool, CachePolicy(pause_seconds=0))


@pytest.fixture
def no_qemu_img(tmp_path, monkeypatch):
    """A qemu-img that only writes down that somebody called it; gives the file it would write."""
    log, programs = tmp_path / "called", tmp_path / "bin"
    programs.mkdir()
    program = programs / "qemu-img"
    program.write_text(f"#!/bin/sh\necho called >> {log}\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return log


def files(paths):
    return sorted(path.name for path in paths.base.iterdir())


def qcow2_of(tmp_path, data):
    (tmp_path / "source").write_bytes(data)
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", tmp_path / "source", tmp_path / "made"]
    subprocess.run(command, check=True)
    return (tmp_path / "made").read_bytes()


def test_a_raw_image_is_cached_as_it_is(cache, paths):
    image = cache.image(Shop(RAW).source())
    assert image.path == paths.base / hashlib.sha1(IMAGE_ID.encode()).hexdigest()
    assert image.path.read_bytes() == RAW
    assert image.format == "raw"
    assert image.info.virtual_size_bytes == MIB
    assert files(paths) == [image.path.name]


def test_a_qcow2_is_converted(cache, paths, tmp_path):
    image = cache.image(Shop(qcow2_of(tmp_path, RAW)).source("qcow2"))
    assert image.path.read_bytes() == RAW
    assert image.format == "raw"
    assert files(paths) == [image.path.name]


def test_it_stays_a_qcow2_where_raw_is_not_forced(paths, tool, tmp_path):
    data = qcow2_of(tmp_path, RAW)
    image = ImageCache(paths, tool, CachePolicy(force_raw=False)).image(Shop(data).source("qcow2"))
    assert image.path.read_bytes() == data
    assert image.format == "qcow2"


@pytest.mark.parametrize(
    ("declared", "made"), [("vmdk", "vmdk"), ("vhd", "vpc"), ("vhdx", "vhdx"), ("vdi", "vdi")]
)
def test_other_formats_are_converted(declared, made, cache, tmp_path):
    data = qemu_image(tmp_path / "made", made, size="8M").read_bytes()
    image = cache.image(Shop(data).source(declared))
    assert image.format == "raw"
    assert image.path.stat().st_size >= 8 * MIB


def test_what_is_there_is_not_fetched_again_and_marked_as_used(cache):
    shop = Shop(RAW)
    path = cache.image(shop.source()).path
    os.utime(path, (1, 1))
    assert cache.has(IMAGE_ID)
    cache.image(shop.source())
    assert shop.reads == [0]
    assert path.stat().st_mtime > 1


def test_twenty_boots_fetch_it_once(cache):
    shop = Shop(RAW, gate=threading.Event())
    made = []
    threads = [threading.Thread(target=lambda: made.append(cache.image(shop.source()))) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert shop.started.wait(10)
    shop.gate.set()
    for thread in threads:
        thread.join(30)
    assert len(made) == 20
    assert len({image.path for image in made}) == 1
    assert shop.reads == [0]


@pytest.mark.parametrize("refusal", [errors.ImageNotAuthorized, errors.ImageNotFound])
@pytest.mark.parametrize("method", ["image", "plain_file"])
def test_an_expired_token_of_the_first_fails_only_the_first(method, refusal, cache):
    shop, started, gate = Shop(RAW), threading.Event(), threading.Event()

    def refused(offset):
        started.set()
        assert gate.wait(10)
        raise refusal(image_id=IMAGE_ID)

    waits = threading.Event()
    flights = cache._flights
    do = flights.do

    def noted(*args, **more):
        if started.is_set():
            waits.set()
        return do(*args, **more)

    flights.do = noted
    failed, made = [], []

    def first():
        try:
            getattr(cache, method)(replace(shop.source(), read=refused))
        except refusal as error:
            failed.append(error)

    threads = [threading.Thread(target=first)]
    threads[0].start()
    assert started.wait(10)
    threads.append(threading.Thread(target=lambda: made.append(getattr(cache, method)(shop.source()))))
    threads[1].start()
    assert waits.wait(10)
    time.sleep(0.05)
    gate.set()
    for thread in threads:
        thread.join(30)
    assert (len(failed), len(made), shop.reads) == (1, 1, [0])


def test_a_broken_connection_costs_only_what_was_not_there(cache, paths):
    shop = Shop(RAW, cuts=[MIB // 2])
    assert cache.image(shop.source()).path.read_bytes() == RAW
    assert shop.reads == [0, MIB // 2]
    assert files(paths) == [image_file_name(IMAGE_ID)]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_hostile_image_reaches_no_tool_and_leaves_nothing(attack, cache, paths, no_qemu_img):
    with pytest.raises(errors.ImageUnacceptable, match=IMAGE_ID):
        cache.image(Shop(attack.contents()).source(attack.declared))
    assert not no_qemu_img.exists(), "qemu-img has seen it"
    assert files(paths) == []
    assert not cache.has(IMAGE_ID)


def test_a_hostile_file_in_the_cache_is_refused_each_time(cache, paths, no_qemu_img):
    paths.base.mkdir()
    paths.image(IMAGE_ID).write_bytes(qcow2_bytes(backing=b"/etc/passwd"))
    shop = Shop(RAW)
    for _ in range(2):
        with pytest.raises(errors.ImageUnacceptable, match="backing file"):
            cache.image(shop.source())
    assert shop.reads == []
    assert not no_qemu_img.exists()


def test_a_disk_within_the_disk_leaves_nothing(cache, paths, tmp_path):
    data = qcow2_of(tmp_path, qcow2_bytes(backing=b"/etc/passwd"))
    with pytest.raises(errors.ImageUnacceptable, match="backing file"):
        cache.image(Shop(data).source("qcow2"))
    assert files(paths) == []


@pytest.mark.parametrize("more", [{"digest": "0" * 128}, {"size_bytes": 5}])
def test_a_wrong_checksum_or_length_leaves_nothing(more, cache, paths, no_qemu_img):
    with pytest.raises(errors.CouldNotFetchImage):
        cache.image(Shop(RAW).source(**more))
    assert files(paths) == []
    assert not no_qemu_img.exists()


def test_what_qemu_img_cannot_read_is_refused_with_its_words(cache, paths):
    """A descriptor that says one thing and tables that say nothing."""
    data = sparse_vmdk(vmdk_descriptor("monolithicSparse", 'RW 2048 SPARSE "disk.vmdk"'))[: 21 * 512]
    with pytest.raises(errors.ImageUnacceptable, match="vmdk"):
        cache.image(Shop(data).source("vmdk"))
    assert files(paths) == []


def test_a_disk_too_large_for_the_flavor_is_refused_before_it_is_converted(
    cache, paths, tmp_path, no_qemu_img
):
    data = qcow2_bytes(size=1 << 40, l1_entries=2048)
    with pytest.raises(errors.FlavorDiskSmallerThanImage) as refused:
        cache.image(Shop(data).source("qcow2"), largest_bytes=1 << 30)
    assert refused.value.kwargs["image_size"] == 1 << 40
    assert files(paths) == []
    assert not no_qemu_img.exists()


def test_what_is_too_large_for_one_is_not_for_another(cache, tmp_path):
    shop = Shop(qcow2_of(tmp_path, RAW), gate=threading.Event())
    made, failed = [], []

    def want(largest):
        try:
            made.append(cache.image(shop.source("qcow2"), largest_bytes=largest))
        except errors.FlavorDiskSmallerThanImage:
            failed.append(largest)

    threads = [threading.Thread(target=want, args=(MIB - 1,))]
    threads[0].start()
    assert shop.started.wait(10)
    threads += [threading.Thread(target=want, args=(largest,)) for largest in (None, MIB, 1024)]
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.1)
    shop.gate.set()
    for thread in threads:
        thread.join(30)
    assert len(made) == 2
    assert sorted(failed) == [1024, MIB - 1]


def test_a_full_disk_is_not_the_fault_of_the_image(paths, tmp_path):
    real = QemuImg(Limits(), cache_mode="writeback")

    class Full(QemuImg):
        def convert(self, source, source_info, target, target_format, *, compress=False):
            target.write_bytes(b"half")
            raise errors.ImageToolFailed("qemu-img convert ...: error while writing: No space left on device")

    cache = ImageCache(paths, Full(Limits()), CachePolicy())
    data = qcow2_of(tmp_path, RAW)
    with pytest.raises(errors.ImageToolFailed, match="No space"):
        cache.image(Shop(data).source("qcow2"))
    assert files(paths) == []
    assert ImageCache(paths, real).image(Shop(data).source("qcow2")).path.read_bytes() == RAW


def test_a_directory_that_cannot_be_written_is_named(paths, cache):
    paths.base.write_text("a file is in the way")
    with pytest.raises(OSError, match="_base"):
        cache.image(Shop(RAW).source())


def test_a_kernel_is_kept_as_it_came(cache, paths, no_qemu_img):
    kernel = b"MZ".ljust(510, b"\0") + b"\x55\xaa" + b"code" * 1000
    shop = Shop(kernel)
    assert cache.plain_file(shop.source("aki")).read_bytes() == kernel
    assert cache.plain_file(shop.source("aki")) == paths.plain_file(IMAGE_ID)
    assert shop.reads == [0]
    assert not no_qemu_img.exists()


def test_what_came_as_a_kernel_is_no_disk_yet(cache, tmp_path):
    """Anybody may name any image as the kernel of another; its own format counts when it is booted from."""
    shop = Shop(qcow2_of(tmp_path, RAW))
    assert cache.plain_file(shop.source("qcow2")).read_bytes() == shop.data
    assert not cache.has(IMAGE_ID)
    image = cache.image(shop.source("qcow2"))
    assert (image.format, image.path.read_bytes()) == ("raw", RAW)
    assert cache.plain_file(shop.source("qcow2")).read_bytes() == shop.data
    assert shop.reads == [0, 0]


def test_what_came_as_a_kernel_is_refused_as_a_disk_that_it_is_not(cache):
    shop = Shop(RAW)
    cache.plain_file(shop.source("vmdk"))
    with pytest.raises(errors.ImageUnacceptable, match="declared as vmdk"):
        cache.image(shop.source("vmdk"))


def test_a_base_file_of_our_own_is_made_once(cache, paths):
    calls = []

    def make(path):
        calls.append(path)
        path.write_bytes(b"\0" * MIB)

    for _ in range(3):
        assert cache.made("swap_1", make).path == paths.base / "swap_1"
    assert len(calls) == 1
    assert files(paths) == ["swap_1"]


def test_a_base_file_that_is_not_made_leaves_nothing(cache, paths):
    def make(path):
        path.write_bytes(b"half")
        raise errors.ImageToolFailed("mkfs")

    with pytest.raises(errors.ImageToolFailed):
        cache.made("ephemeral_1_abcdef0", make)
    assert files(paths) == []


def test_another_process_with_the_lock_of_the_stock_agent_is_waited_for(paths):
    """Hosts that share the directory lock `locks/nova-<file name>` (contract locks, image_base_lock)."""
    script = (
        "import sys\nfrom oslo_concurrency import lockutils\n"
        f"with lockutils.external_lock('name', 'nova-', {str(paths.locks)!r}):\n"
        "    print('held', flush=True)\n    sys.stdin.readline()\n"
    )
    locks, got = BaseLocks(paths), threading.Event()
    paths.locks.mkdir()

    def take():
        with locks.hold("name"):
            got.set()

    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        thread = threading.Thread(target=take)
        thread.start()
        assert not got.wait(0.3)
        other.communicate("go\n")
    assert got.wait(10)
    thread.join(10)


def test_a_bootable_disk_passes_through(cache):
    data = MBR + b"\0" * MIB
    assert cache.image(Shop(data).source()).path.read_bytes() == data


def test_how_much_it_takes(cache, paths, tmp_path):
    assert cache.disk_usage_bytes() == 0
    cache.image(Shop(RAW).source())
    assert MIB <= cache.disk_usage_bytes() < 2 * MIB


def test_downloads_and_conversions_wait_for_a_slot(paths, tmp_path):
    slots = Slots(1)
    tool = QemuImg(Limits(), cache_mode="writeback", disk_ops=slots)
    cache = ImageCache(paths, tool, CachePolicy(pause_seconds=0))
    shop = Shop(qcow2_of(tmp_path, RAW))
    fetching = threading.Thread(target=cache.image, args=(shop.source("qcow2"),))
    with slots:
        fetching.start()
        fetching.join(0.3)
        assert fetching.is_alive() and shop.reads == []
    fetching.join(30)
    assert not fetching.is_alive() and shop.reads == [0]
    source, target = tmp_path / "source", tmp_path / "copy"
    info = tool.info(source, "raw")
    converting = threading.Thread(target=tool.convert, args=(source, info, target, "qcow2"))
    with slots:
        converting.start()
        converting.join(0.3)
        assert converting.is_alive() and not target.exists()
    converting.join(30)
    assert not converting.is_alive() and target.exists()
