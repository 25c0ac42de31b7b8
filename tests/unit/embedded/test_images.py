"""Images in a directory: what is one, what is said of it, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from computed import errors
from computed.embedded.images import ImageDirectory


@pytest.fixture
def images(tmp_path: Path) -> ImageDirectory:
    (tmp_path / "cirros.qcow2").write_bytes(b"not really")
    (tmp_path / "disk.raw").write_bytes(b"QFI\xfb looks like qcow2")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.raw").mkdir()
    (tmp_path / "cirros.json").write_text('{"min_ram": 64, "properties": {"hw_disk_bus": "virtio", "n": 1}}')
    return ImageDirectory(tmp_path)


def test_only_files_of_a_known_ending_are_images(images: ImageDirectory) -> None:
    assert [image["name"] for image in images.all_images()] == ["cirros", "disk"]


def test_format_is_the_ending_whatever_the_contents_look_like(images: ImageDirectory) -> None:
    assert images.find("disk")["disk_format"] == "raw"
    assert images.find("cirros")["disk_format"] == "qcow2"


def test_sidecar_says_sizes_and_properties(images: ImageDirectory) -> None:
    cirros = images.find("cirros")
    assert (cirros["min_ram"], cirros["min_disk"]) == (64, 0)
    assert cirros["properties"] == {"hw_disk_bus": "virtio", "n": "1"}
    assert images.find("disk")["properties"] == {}


def test_image_is_found_by_id_name_and_file_and_its_bytes_are_read(images: ImageDirectory) -> None:
    image_id = images.find("disk")["id"]
    assert images.show(None, image_id) == images.find("disk.raw")
    contents = b"".join(images.download(None, image_id))
    assert contents.startswith(b"QFI")
    assert b"".join(images.download(None, image_id, offset=2)) == contents[2:]


@pytest.mark.parametrize("wanted", ["nothing", "notes.txt", "../disk.raw", "folder", "", "/etc/passwd"])
def test_what_is_no_image_is_not_found(images: ImageDirectory, wanted: str) -> None:
    with pytest.raises(errors.ImageNotFound):
        images.find(wanted)


@pytest.mark.parametrize("said", ["{", "[]", '{"min_ram": -1}', '{"min_disk": "x"}', '{"properties": []}'])
def test_sidecar_that_makes_no_sense_is_named(images: ImageDirectory, tmp_path: Path, said: str) -> None:
    (tmp_path / "disk.json").write_text(said)
    with pytest.raises(errors.ImageBadRequest, match=r"disk\.json"):
        images.find("disk")


def test_directory_that_is_not_there_has_no_images(tmp_path: Path) -> None:
    assert ImageDirectory(tmp_path / "none").all_images() == []


def test_images_are_the_operators_to_delete(images: ImageDirectory) -> None:
    with pytest.raises(errors.ImageNotAuthorized):
        images.delete(None, images.find("disk")["id"])


# Images made here


def test_an_image_is_made_filled_found_and_deleted(images: ImageDirectory, tmp_path: Path) -> None:
    image_id = images.made.create("snap", properties={"a": "1"})["id"]
    assert images.find("snap")["status"] == "queued"
    images.update(None, image_id, {"disk_format": "raw", "properties": {"b": "2"}})
    images.upload(None, image_id, [b"ab", b"c"])
    again = ImageDirectory(tmp_path)
    image = again.show(None, image_id)
    assert (image["status"], image["size"], image["disk_format"]) == ("active", 3, "raw")
    assert image["properties"] == {"a": "1", "b": "2"}
    assert b"".join(again.download(None, image_id)) == b"abc"
    assert b"".join(again.download(None, image_id, offset=1)) == b"bc"
    again.delete(None, image_id)
    with pytest.raises(errors.ImageNotFound):
        images.show(None, image_id)
    assert list((tmp_path / "made").iterdir()) == []


def test_images_made_here_are_searched_by_properties_newest_first(images: ImageDirectory) -> None:
    old, new, _ = (images.made.create("b", properties={"n": n})["id"] for n in ("1", "1", "2"))
    assert [image["id"] for image in images.search(None, {"n": "1"})] == [new, old]


def test_an_image_without_bytes_is_not_read_and_a_full_one_not_filled(images: ImageDirectory) -> None:
    image_id = images.made.create("snap")["id"]
    with pytest.raises(errors.ImageNotActive):
        list(images.download(None, image_id))
    images.upload(None, image_id, [b"a"])
    with pytest.raises(errors.ImageBadRequest):
        images.upload(None, image_id, [b"b"])


def test_an_image_deleted_while_it_is_filled_stays_deleted(images: ImageDirectory, tmp_path: Path) -> None:
    image_id = images.made.create("snap")["id"]

    def data() -> Iterator[bytes]:
        yield b"a"
        images.delete(None, image_id)

    with pytest.raises(errors.ImageNotFound):
        images.upload(None, image_id, data())
    assert list((tmp_path / "made").iterdir()) == []


def test_the_operators_images_are_not_written(images: ImageDirectory) -> None:
    for write in (lambda i: images.update(None, i, {}), lambda i: images.upload(None, i, [])):
        with pytest.raises(errors.ImageNotAuthorized):
            write(images.find("disk")["id"])
        with pytest.raises(errors.ImageNotFound):
            write("aaaaaaaa-0000-4000-8000-000000000001")


def test_file_that_is_replaced_is_another_image(images: ImageDirectory, tmp_path: Path) -> None:
    before = images.find("disk")["id"]
    assert images.find("disk")["id"] == before
    (tmp_path / "disk.raw").write_bytes(b"other contents")
    assert images.find("disk")["id"] != before
    with pytest.raises(errors.ImageNotFound):
        images.find(before)


def test_what_the_inspection_refuses_is_not_kept(tmp_path: Path) -> None:
    seen = []

    def refuse(path: Path, image_id: str, disk_format: str) -> object:
        seen.append((path.read_bytes(), image_id, disk_format))
        raise errors.ImageUnacceptable(image_id=image_id, reason="no such thing")

    images = ImageDirectory(tmp_path, refuse)
    with pytest.raises(errors.ImageUnacceptable, match="no such thing"):
        images.add("bad", "qcow2", [b"ab", b"c"])
    assert seen == [(b"abc", "bad", "qcow2")]
    assert list(tmp_path.iterdir()) == []
