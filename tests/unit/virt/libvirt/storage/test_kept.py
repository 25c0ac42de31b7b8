"""What a resize keeps on its source, in a real directory."""

import os

import pytest

from computed.virt.libvirt.storage import kept
from computed.virt.libvirt.storage.paths import InstancePaths

UUID = "11111111-2222-4333-8444-555555555555"
KEPT = ("disk", "disk.eph0", "disk.swap", "disk.info", "disk.config", "kernel")
FILES = (*KEPT, "console.log", "unrescue.xml")


@pytest.fixture
def paths(tmp_path):
    made = InstancePaths(tmp_path, UUID)
    made.create()
    for name in FILES:
        made.disk(name).write_text(f"old {name}")
    return made


def test_the_directory_is_set_aside_and_given_back(paths):
    kept.set_aside(paths, begin_anew=True)
    assert {path.name for path in paths.resize_directory.iterdir()} == set(FILES)
    assert [path.name for path in kept.to_send(paths)] == [
        *("disk", "disk.config", "disk.eph0", "disk.info", "kernel")
    ]
    assert not kept.is_whole(paths)
    paths.disk().write_text("new")
    kept.finished(paths)
    assert kept.is_whole(paths)
    assert kept.give_back(paths) is True
    assert paths.disk().read_text() == "old disk"
    assert not paths.resize_directory.exists()
    assert kept.give_back(paths) is False
    assert paths.disk().read_text() == "old disk"


def test_nothing_is_begun_where_the_guest_leaves_this_storage(paths):
    kept.set_aside(paths, begin_anew=False)
    assert not paths.directory.exists() and not kept.is_whole(paths)
    assert kept.give_back(paths)
    assert kept.is_whole(paths)


def test_what_an_earlier_resize_has_left_goes_first(paths):
    paths.resize_directory.mkdir()
    (paths.resize_directory / "disk").write_text("of another time")
    kept.set_aside(paths, begin_anew=True)
    assert (paths.resize_directory / "disk").read_text() == "old disk"
    kept.drop(paths)
    kept.drop(paths)
    assert not paths.resize_directory.exists()


def test_links_are_not_followed(paths):
    kept.set_aside(paths, begin_anew=True)
    os.symlink("/etc/passwd", paths.resize_directory / "disk.eph1")
    (paths.resize_directory / "swtpm").mkdir()
    assert "disk.eph1" not in [path.name for path in kept.to_send(paths)]
