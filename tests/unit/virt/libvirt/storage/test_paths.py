"""Names of files are those of the stock agent, and nothing leads out of the instances directory."""

from pathlib import Path

import pytest

from computed.virt.libvirt.storage.paths import CachePaths, InstancePaths, image_file_name

UUID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def paths(tmp_path):
    return InstancePaths(tmp_path, UUID)


def test_the_names_are_those_of_the_contract(paths, tmp_path):
    home = tmp_path / UUID
    assert paths.disk() == home / "disk"
    assert paths.ephemeral(2) == home / "disk.eph2"
    assert paths.config_drive() == home / "disk.config"
    assert paths.config_drive(is_rescue=True) == home / "disk.config.rescue"
    assert paths.disk_info == home / "disk.info"
    assert paths.console_log == home / "console.log"
    assert paths.unrescue_xml == home / "unrescue.xml"
    assert paths.resize_directory == tmp_path / f"{UUID}_resize"


def test_an_image_is_cached_under_the_sha1_of_its_id(tmp_path):
    # contract host_files.json, image_cache.name_example
    name = "a62f9278c0d326b80ee530e59f78a2df72845ded"
    assert image_file_name("00000031-0000-4000-8000-000000000031") == name
    assert CachePaths(tmp_path).image("00000031-0000-4000-8000-000000000031") == tmp_path / "_base" / name
    assert CachePaths(tmp_path, "elsewhere").base == tmp_path / "elsewhere"


@pytest.mark.parametrize("uuid", ["", "..", "../" + UUID, UUID.upper().replace("1", "A"), UUID + "/x"])
def test_what_is_no_uuid_makes_no_path(uuid, tmp_path):
    with pytest.raises(ValueError):
        InstancePaths(tmp_path, uuid)


def test_a_relative_instances_path_is_refused():
    with pytest.raises(ValueError):
        InstancePaths(Path("instances"), UUID)


@pytest.mark.parametrize("name", ["", ".", "..", "../disk", "a/b", "/etc/passwd"])
def test_a_disk_is_one_file_of_the_directory(paths, name):
    with pytest.raises(ValueError):
        paths.disk(name)


def test_making_and_removing(paths):
    assert paths.create()
    assert not paths.create()
    paths.disk().write_text("data")
    assert paths.remove()
    assert not paths.directory.exists()
    assert paths.remove()  # twice is no error


def test_a_removal_that_was_cut_off_is_finished(paths):
    paths.deleted_directory.mkdir()
    (paths.deleted_directory / "disk").write_text("old")
    paths.create()
    assert paths.remove()
    assert not paths.deleted_directory.exists()


def test_what_is_left_of_an_older_removal_does_not_keep_the_rest(paths):
    """A file of that name is what nothing removes as a directory."""
    paths.create()
    paths.disk().write_text("data")
    paths.deleted_directory.touch()
    with pytest.raises(NotADirectoryError):
        paths.remove()
    assert not paths.directory.exists()


def test_removing_follows_no_link_out_of_the_directory(paths, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep me")
    paths.create()
    paths.disk("link").symlink_to(precious)
    paths.remove()
    assert (precious / "file").read_text() == "keep me"
