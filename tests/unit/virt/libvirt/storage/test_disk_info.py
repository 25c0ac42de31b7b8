"""The first format recorded for a disk is the one that counts."""

import json
import stat
import threading

import pytest

from computed import errors
from computed.virt.libvirt.storage import disk_info


@pytest.fixture
def record(tmp_path):
    return tmp_path / "disk.info"


def test_nothing_is_known_without_a_record(record, tmp_path):
    assert disk_info.read(record) == {}
    assert disk_info.format_of(record, tmp_path / "disk") is None


def test_the_file_is_one_line_of_json_that_all_may_read(record, tmp_path):
    disk_info.remember(record, tmp_path / "disk", "qcow2")
    disk_info.remember(record, tmp_path / "disk.swap", "raw")
    text = record.read_text()
    assert text.count("\n") == 1
    assert json.loads(text) == {str(tmp_path / "disk"): "qcow2", str(tmp_path / "disk.swap"): "raw"}
    assert stat.S_IMODE(record.stat().st_mode) == 0o644
    assert not (tmp_path / "disk.info.tmp").exists()


def test_the_first_word_stays(record, tmp_path):
    assert disk_info.remember(record, tmp_path / "disk", "raw") == "raw"
    assert disk_info.remember(record, tmp_path / "disk", "qcow2") == "raw"
    assert disk_info.format_of(record, tmp_path / "disk") == "raw"


def test_a_disk_that_is_removed_is_forgotten(record, tmp_path):
    disk_info.remember(record, tmp_path / "disk", "raw")
    disk_info.forget(record, tmp_path / "disk")
    disk_info.forget(record, tmp_path / "other")
    assert disk_info.remember(record, tmp_path / "disk", "qcow2") == "qcow2"


@pytest.mark.parametrize("text", ["not json", "[1]", '{"/d": 1}', '"x"'])
def test_a_broken_record_is_named(record, text, tmp_path):
    record.write_text(text)
    with pytest.raises(errors.InvalidDiskInfo, match=r"disk\.info"):
        disk_info.remember(record, tmp_path / "disk", "raw")
    assert record.read_text() == text


def test_a_record_with_a_format_no_disk_has_is_refused(record, tmp_path):
    record.write_text(json.dumps({str(tmp_path / "disk"): "vmdk"}))
    with pytest.raises(errors.InvalidDiskInfo, match="vmdk"):
        disk_info.format_of(record, tmp_path / "disk")
    with pytest.raises(errors.InvalidDiskFormat):
        disk_info.remember(record, tmp_path / "other", "vmdk")


def test_a_record_that_cannot_be_read_is_not_taken_for_none(record):
    record.mkdir()
    with pytest.raises(errors.DiskInfoReadWriteFail):
        disk_info.read(record)


def test_a_link_in_place_of_the_new_file_is_not_followed(record, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "disk.info.tmp").symlink_to(victim)
    disk_info.remember(record, tmp_path / "disk", "raw")
    assert victim.read_text() == "untouched"


def test_many_disks_at_once_are_all_recorded(record, tmp_path):
    threads = [
        threading.Thread(target=disk_info.remember, args=(record, tmp_path / f"disk.eph{n}", "raw"))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(disk_info.read(record)) == 8
