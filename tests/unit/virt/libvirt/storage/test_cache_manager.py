"""What the cache manager removes and, above all, what it does not."""

import json
import os

import pytest

from computed import errors
from computed.virt.libvirt.storage.cache import BaseLocks
from computed.virt.libvirt.storage.cache_manager import AgingOptions, CacheManager, InUse
from computed.virt.libvirt.storage.paths import CachePaths, InstancePaths, image_file_name
from tests.unit.virt.libvirt.storage.hostile import qcow2_bytes

UUID = "11111111-2222-4333-8444-555555555555"
NOW = 1_000_000
DAY = 86400
IMAGE = image_file_name("image-1")


class Host:
    def __init__(self, path, **options):
        self.paths = CachePaths(path)
        self.paths.base.mkdir()
        self.instance = InstancePaths(path, UUID)
        self.options = AgingOptions(**options)

    def base(self, name, age=2 * DAY):
        path = self.paths.base / name
        path.write_bytes(b"x")
        os.utime(path, (NOW - age, NOW - age))
        return path

    def disk(self, backing, name="disk", disk_format="qcow2", directory=None):
        directory = directory or self.instance.directory
        directory.mkdir(exist_ok=True)
        data = qcow2_bytes(backing=str(self.paths.base / backing).encode()) if backing else b"raw"
        (directory / name).write_bytes(data)
        if disk_format:
            (directory / "disk.info").write_text(json.dumps({str(directory / name): disk_format}))

    def run(self, *image_ids, names=()):
        manager = CacheManager(self.paths, BaseLocks(self.paths), self.options, now=lambda: NOW)
        return manager.run(InUse(frozenset(image_ids), frozenset(names)))


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("name", "age", "is_removed"),
    [
        (IMAGE, DAY, True),
        (IMAGE, DAY - 1, False),
        (f"{IMAGE}_plain", DAY, True),
        (f"{IMAGE}_plain", DAY - 1, False),
        (f"{IMAGE}_20", 3600, True),
        (f"{IMAGE}_20", 3599, False),
        (f"{IMAGE}_sm", 3600, True),
        ("swap_512", DAY, True),
        ("ephemeral_1_0706d66", DAY, True),
        ("ephemeral_1_0706d66_ext4", DAY, True),
        (f"{IMAGE}.part", DAY, True),
        (f"{IMAGE}.converted", DAY - 1, False),
        ("readme.txt", 99 * DAY, False),
        ("swap_x", 99 * DAY, False),
        ("lost+found", 99 * DAY, False),
    ],
)
def test_what_is_unused_and_old_is_removed_if_it_is_ours(name, age, is_removed, host):
    path = host.base(name, age)
    assert host.run() == ([name] if is_removed else [])
    assert path.exists() is not is_removed


def test_what_is_in_use_is_refreshed(host):
    kept = [host.base(IMAGE), host.base(f"{IMAGE}_20"), host.base(f"{IMAGE}_plain"), host.base("swap_512")]
    host.base("swap_16")
    assert host.run("image-1", names=["swap_512"]) == ["swap_16"]
    assert all(path.stat().st_mtime > NOW for path in kept)


def test_what_a_disk_lies_on_stays_whatever_the_records_say(host):
    host.base(IMAGE)
    host.base("ephemeral_1_0706d66_ext4")
    host.disk(IMAGE)
    host.disk("ephemeral_1_0706d66_ext4", "disk.eph0")
    assert host.run() == []


@pytest.mark.parametrize("suffix", ["_resize", "_del"])
def test_so_does_what_a_directory_that_is_kept_aside_needs(suffix, host, tmp_path):
    host.base(IMAGE)
    host.disk(IMAGE, directory=tmp_path / (UUID + suffix))
    assert host.run() == []


def test_so_does_what_a_disk_without_a_record_lies_on(host):
    host.base(IMAGE)
    host.disk(IMAGE, disk_format=None)
    assert host.run() == []


def test_a_raw_disk_lies_on_nothing_whatever_its_guest_writes(host):
    host.base(IMAGE)
    host.disk(IMAGE, disk_format="raw")
    assert host.run() == [IMAGE]


def test_unknown_is_not_unused(host):
    host.base(IMAGE)
    host.disk(None)
    with pytest.raises(errors.ReadIncomplete, match=UUID):
        host.run()
    host.instance.disk_info.write_text("broken")
    with pytest.raises(errors.ReadIncomplete, match=r"disk\.info"):
        host.run()
    assert (host.paths.base / IMAGE).exists()


def test_nothing_is_removed_where_that_is_not_wanted(tmp_path):
    host = Host(tmp_path, is_removing=False)
    host.base(IMAGE)
    assert host.run() == []


def test_links_are_left_alone(host, tmp_path):
    (tmp_path / "elsewhere").write_text("x")
    (host.paths.base / IMAGE).symlink_to(tmp_path / "elsewhere")
    assert host.run() == []
    assert (host.paths.base / IMAGE).is_symlink()


def test_a_cache_that_is_not_there(tmp_path):
    paths = CachePaths(tmp_path / "nothing")
    manager = CacheManager(paths, BaseLocks(paths), AgingOptions())
    assert manager.run(InUse(frozenset())) == []
