"""An image's bytes arrive whole or not at all, what came before a break is not fetched again."""

import errno
import hashlib
import os

import pytest

from computed import errors
from computed.virt.libvirt.storage.download import ImageSource, fetch
from tests.unit.virt.libvirt.storage.sources import IMAGE_ID, Shop

DATA = os.urandom(300_000)


@pytest.fixture
def part(tmp_path):
    return tmp_path / "image.part"


def test_a_whole_image(part):
    shop = Shop(DATA)
    fetch(shop.source(), part)
    assert part.read_bytes() == DATA
    assert shop.reads == [0]


def test_it_goes_on_where_the_connection_broke(part):
    shop = Shop(DATA, cuts=[100_000, 200_000])
    fetch(shop.source(), part, pause_seconds=0)
    assert part.read_bytes() == DATA
    assert shop.reads == [0, 100_000, 200_000]


def test_it_gives_up_when_nothing_comes_and_goes_on_the_next_time(part):
    shop = Shop(DATA, cuts=[150_000] * 9)
    with pytest.raises(errors.GlanceConnectionFailed):
        fetch(shop.source(), part, pause_seconds=0)
    assert part.read_bytes() == DATA[:150_000]
    shop.cuts.clear()
    shop.reads.clear()
    fetch(shop.source(), part, pause_seconds=0)
    assert part.read_bytes() == DATA
    assert shop.reads == [150_000]


def test_what_cannot_be_verified_is_fetched_from_the_start(part):
    part.write_bytes(b"left by somebody")
    shop = Shop(DATA)
    fetch(shop.source(algorithm=None, digest=None), part)
    assert part.read_bytes() == DATA
    assert shop.reads == [0]


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * len(DATA)], ids=["a part", "as long as the image"])
def test_a_false_beginning_costs_a_second_fetch_and_not_the_boot(left, part):
    part.write_bytes(left)
    shop = Shop(DATA)
    fetch(shop.source(), part)
    assert part.read_bytes() == DATA
    assert shop.reads[-1] == 0
    assert len(shop.reads) <= 2


def test_a_wrong_image_behind_a_false_beginning_is_fetched_once_more_and_no_oftener(part):
    part.write_bytes(b"x" * 1000)
    shop = Shop(DATA)
    with pytest.raises(errors.CouldNotFetchImage, match="wrong sha512 hash"):
        fetch(shop.source(digest="0" * 128), part)
    assert shop.reads == [1000, 0]
    assert not part.exists()


def test_a_file_that_is_longer_than_the_image_is_thrown_away(part):
    part.write_bytes(DATA + b"more")
    fetch(Shop(DATA).source(), part)
    assert part.read_bytes() == DATA


def test_a_file_that_is_whole_already_is_not_fetched_again(part):
    part.write_bytes(DATA)
    shop = Shop(DATA)
    fetch(shop.source(), part)
    assert shop.reads == []


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"digest": "0" * 128}, "wrong sha512 hash"),
        ({"algorithm": "md5", "digest": hashlib.md5(b"x").hexdigest()}, "wrong md5 hash"),
        ({"size_bytes": len(DATA) + 1}, "instead of"),
        ({"size_bytes": len(DATA) - 1}, "more than"),
        ({"size_bytes": 10}, "more than its 10 bytes"),
    ],
)
def test_another_image_is_not_taken_for_it(more, reason, part):
    with pytest.raises(errors.CouldNotFetchImage, match=f"{IMAGE_ID}.*{reason}"):
        fetch(Shop(DATA).source(**more), part)
    assert not part.exists()


def test_a_full_disk_leaves_nothing(part, monkeypatch):
    def full(function, *args):
        if function.__name__ == "_write":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return function(*args)

    monkeypatch.setattr("computed.virt.libvirt.storage.download.offload", full)
    with pytest.raises(OSError, match="No space left"):
        fetch(Shop(DATA).source(), part)
    assert not part.exists()


def test_a_link_in_place_of_the_file_is_not_followed(part, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    part.symlink_to(victim)
    with pytest.raises(OSError):
        fetch(Shop(DATA).source(), part)
    assert victim.read_text() == "untouched"


def test_the_strongest_hash_that_is_named_counts():
    image = {
        "id": "i",
        "disk_format": "qcow2",
        "size": 5,
        "checksum": "AB",
        "os_hash_algo": "sha512",
        "os_hash_value": "CD",
    }
    source = ImageSource.of(image, lambda offset: iter(()))
    assert (source.algorithm, source.digest, source.size_bytes) == ("sha512", "cd", 5)
    image["os_hash_algo"] = "a hash of the future"
    assert ImageSource.of(image, source.read).algorithm == "md5"
    image.update(checksum=None, size=0)
    bare = ImageSource.of(image, source.read)
    assert (bare.algorithm, bare.digest, bare.size_bytes) == (None, None, None)
