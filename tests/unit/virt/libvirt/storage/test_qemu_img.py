"""The commands of qemu-img, with the real program: formats are named, limits hold, errors say what failed."""

import shutil
import subprocess

import pytest
from oslo_concurrency import processutils

from computed import errors
from computed.virt.libvirt.storage.qemu_img import FORMATS, ImageInfo, Limits, QemuImg, cache_mode_for

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
MIB = 1 << 20


class Recorder:
    """Runs commands and keeps them."""

    def __init__(self):
        self.commands = []
        self.limits = []

    def __call__(self, *command, prlimit):
        self.commands.append(command)
        self.limits.append(prlimit)
        return processutils.execute(*command, prlimit=prlimit)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def tool(recorder):
    return QemuImg(Limits(), cache_mode="writeback", execute=recorder)


def test_every_command_names_the_formats_of_its_files(tool, recorder, tmp_path):
    raw, qcow2, overlay = tmp_path / "raw", tmp_path / "qcow2", tmp_path / "overlay"
    tool.create(raw, "raw", MIB)
    raw_info = tool.info(raw, "raw")
    tool.convert(raw, raw_info, qcow2, "qcow2", compress=True)
    tool.create_overlay(overlay, raw, raw_info, 2 * MIB)
    tool.resize(overlay, "qcow2", 3 * MIB)
    tool.rebase(overlay, tool.info(overlay, "qcow2"), None)
    for command in recorder.commands:
        words = command[command.index("qemu-img") + 1 :]
        assert words[words.index("-f") + 1] in FORMATS, words
        if words[0] == "convert":
            assert words[words.index("-O") + 1] in FORMATS
        if "-b" in words and words[words.index("-b") + 1]:
            assert words[words.index("-F") + 1] in FORMATS
    assert tool.info(overlay, "qcow2").virtual_size_bytes == 3 * MIB
    assert tool.info(overlay, "qcow2").backing_file is None
    assert all(limit.address_space == 2 << 30 and limit.cpu_time >= 30 for limit in recorder.limits)


def test_an_overlay_says_what_it_lies_on(tool, tmp_path):
    base, overlay = tmp_path / "base,with comma", tmp_path / "overlay"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=4096", base, "1M"], check=True
    )
    tool.create_overlay(overlay, base, tool.info(base, "qcow2"))
    info = tool.info(overlay, "qcow2")
    assert info == ImageInfo(
        format="qcow2",
        virtual_size_bytes=MIB,
        actual_size_bytes=info.actual_size_bytes,
        backing_file=str(base),
        backing_format="qcow2",
        data_file=None,
        cluster_size_bytes=4096,
    )


def test_a_raw_disk_stays_raw_whatever_is_written_to_it(tool, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * MIB)
    disk = tmp_path / "disk"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", disk, "1M"], check=True
    )
    info = tool.info(disk, "raw")
    assert info.format == "raw"
    assert info.backing_file is None


@pytest.mark.parametrize("image_format", ["", "auto", "nbd", "luks", "json:{}"])
def test_a_format_that_is_not_one_is_never_asked_for(tool, recorder, image_format, tmp_path):
    (tmp_path / "disk").write_bytes(b"\0" * 512)
    with pytest.raises(errors.InvalidDiskFormat):
        tool.info(tmp_path / "disk", image_format)
    assert recorder.commands == []


@pytest.mark.parametrize("name", ["nbd:localhost:10809", "-h", "json:{}"])
def test_a_path_is_never_taken_for_a_protocol_or_an_option(tool, recorder, name, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(b"\0")
    with pytest.raises(ValueError, match="absolute"):
        tool.resize(Path(name), "raw", MIB)
    assert recorder.commands == []


def test_what_is_not_there_or_not_of_the_format_has_its_own_error(tool, tmp_path):
    with pytest.raises(errors.DiskNotFound):
        tool.info(tmp_path / "nothing", "raw")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(errors.InvalidDiskInfo, match="not in qcow2 format"):
        tool.info(tmp_path / "text", "qcow2")


def test_an_answer_that_is_none_is_an_error(tmp_path):
    (tmp_path / "disk").write_bytes(b"\0")
    for answer in ("", "[]", "{}", '{"format": "raw"}'):
        tool = QemuImg(Limits(), execute=lambda *command, prlimit, answer=answer: (answer, ""))
        with pytest.raises(errors.InvalidDiskInfo):
            tool.info(tmp_path / "disk", "raw")


def test_the_command_and_its_reason_are_in_the_error(tool, tmp_path):
    with pytest.raises(errors.ImageToolFailed, match=r"qemu-img create .*nowhere.*No such file"):
        tool.create(tmp_path / "nowhere" / "disk", "raw", MIB)


def test_a_conversion_cannot_write_more_than_the_disk(tool, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x" * (80 * MIB))
    small = ImageInfo("raw", MIB, 0, None, None, None, None)  # a header that lies
    with pytest.raises(errors.ImageToolFailed):
        tool.convert(source, small, tmp_path / "target", "raw")
    assert not (tmp_path / "target").exists() or (tmp_path / "target").stat().st_size < 80 * MIB


def test_the_time_of_a_conversion_grows_with_the_disk():
    limits = Limits(cpu_seconds=30, address_space_gib=1)
    assert limits.of_conversion(0).cpu_time == 60
    assert limits.of_conversion(20 << 30).cpu_time == 660
    assert limits.of_look().cpu_time == 30
    assert limits.of_look().address_space == 1 << 30


def test_how_targets_are_written_is_asked_of_the_file_system(tmp_path):
    assert cache_mode_for(tmp_path) in ("none", "writeback")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError):
        cache_mode_for(tmp_path / "nothing")
