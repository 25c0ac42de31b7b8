"""The image cache through the port: real files, images from memory."""

import os
import shutil
from types import SimpleNamespace

import pytest

from computed.virt.libvirt.image_cache import LibvirtImageCache, images_of
from computed.virt.libvirt.storage.cache import CachePolicy, ImageCache
from computed.virt.libvirt.storage.paths import CachePaths, image_file_name
from computed.virt.libvirt.storage.qemu_img import Limits, QemuImg
from tests.unit.virt.libvirt.storage.hostile import MIB
from tests.unit.virt.libvirt.storage.sources import IMAGE_ID, Shop

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
OTHER_ID = "00000033-0000-4000-8000-000000000033"
DATA = b"raw data of a disk".ljust(MIB, b"\0")


def driver(tmp_path, conf):
    shop = Shop(DATA)
    part = LibvirtImageCache()
    part._engine = SimpleNamespace(
        conf=conf,
        cache=ImageCache(CachePaths(tmp_path), QemuImg(Limits(), cache_mode="writeback"), CachePolicy()),
        images=SimpleNamespace(source_of=lambda context, image_id: shop.source(image_id=image_id)),
    )
    return part, shop


def age(path, seconds):
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_an_image_is_fetched_once_and_then_marked_as_used(tmp_path, conf):
    part, shop = driver(tmp_path, conf)
    read = []

    def download(offset):
        read.append(offset)
        return iter([DATA[offset:]])

    assert part.cache_image(None, IMAGE_ID, download) is True
    base = tmp_path / "_base" / image_file_name(IMAGE_ID)
    age(base, 1000)
    before = base.stat().st_mtime
    assert part.cache_image(None, IMAGE_ID, download) is False
    assert base.read_bytes() == DATA
    assert base.stat().st_mtime > before
    assert (read, shop.reads) == ([0], [])


def test_what_a_download_raises_passes_and_nothing_is_left(tmp_path, conf):
    part, _ = driver(tmp_path, conf)

    def download(offset):
        raise PermissionError("not yours")

    with pytest.raises(PermissionError):
        part.cache_image(None, IMAGE_ID, download)
    assert [path for path in (tmp_path / "_base").iterdir() if path.is_file()] == []


def test_images_of_instances_of_any_host_stay_and_others_go(tmp_path, conf):
    part, _ = driver(tmp_path, conf)
    for image_id in (IMAGE_ID, OTHER_ID):
        part.cache_image(None, image_id, lambda offset: iter([DATA[offset:]]))
        age(tmp_path / "_base" / image_file_name(image_id), 90000)
    elsewhere = SimpleNamespace(image_ref=IMAGE_ID, kernel_id="", ramdisk_id=None, host="another")
    part.manage_image_cache(None, [elsewhere])
    names = {path.name for path in (tmp_path / "_base").iterdir() if path.is_file()}
    assert names == {image_file_name(IMAGE_ID)}


def test_nothing_goes_where_the_operator_says_so(tmp_path, conf):
    conf.set_override("remove_unused_base_images", False, group="image_cache")
    part, _ = driver(tmp_path, conf)
    part.cache_image(None, IMAGE_ID, lambda offset: iter([DATA[offset:]]))
    age(tmp_path / "_base" / image_file_name(IMAGE_ID), 90000)
    part.manage_image_cache(None, [])
    assert (tmp_path / "_base" / image_file_name(IMAGE_ID)).exists()


def test_kernels_and_ramdisks_are_images_too():
    instance = SimpleNamespace(image_ref="a", kernel_id="b", ramdisk_id="c")
    bare = SimpleNamespace(image_ref="", kernel_id=None, ramdisk_id=None)
    assert images_of([instance, bare]) == {"a", "b", "c"}
