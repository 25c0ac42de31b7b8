"""Which file system an ephemeral disk gets, and what its base file is called."""

import hashlib
import os
import shutil
import subprocess

import pytest

from computed import errors
from computed.virt.libvirt.storage.filesystems import (
    FileSystemOptions,
    choose,
    make_swap,
    swap_base_name,
)

VFAT = hashlib.md5(b"vfat").hexdigest()[:7]
EXT4 = hashlib.md5(b"ext4").hexdigest()[:7]
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def needs(program):
    return pytest.mark.skipif(shutil.which(program, path=PATH) is None, reason=f"{program} is not installed")


@pytest.mark.parametrize(
    ("os_type", "asked", "default", "kind", "name"),
    [
        (None, None, None, "vfat", f"ephemeral_2_{VFAT}"),
        ("linux", None, None, "ext4", f"ephemeral_2_{VFAT}_ext4"),
        ("windows", None, None, "ntfs", f"ephemeral_2_{VFAT}_ntfs"),
        ("linux", None, "ext4", "ext4", f"ephemeral_2_{EXT4}"),
        (None, "ext3", "ext4", "ext3", f"ephemeral_2_{EXT4}_ext3"),
        ("linux", "xfs", None, "xfs", f"ephemeral_2_{VFAT}_xfs"),
    ],
)
def test_the_kind_and_the_name(os_type, asked, default, kind, name):
    found = choose(os_type, asked, FileSystemOptions(default))
    assert found.kind == kind
    assert found.base_name(2) == name


def test_two_kinds_never_share_a_base_file():
    options = FileSystemOptions()
    names = {choose(None, asked, options).base_name(1) for asked in (None, "ext2", "ext3", "ext4", "xfs")}
    assert len(names) == 5


@pytest.mark.parametrize("asked", ["ntfs", "swap", "-c /etc/passwd", ""])
def test_nobody_is_asked_to_make_what_is_not_offered(asked):
    with pytest.raises(errors.InvalidBDMFormat):
        choose(None, asked, FileSystemOptions())


def test_the_operators_commands_go_before_all_else():
    options = FileSystemOptions.of(
        None, ["linux=mkfs.ext4 -O a=b %(target)s", "=x", "default=cat %(target)s"]
    )
    assert choose("linux", None, options).command == "mkfs.ext4 -O a=b %(target)s"
    assert choose("other", "ext4", options).command == "cat %(target)s"
    digest = hashlib.md5(b"cat %(target)s").hexdigest()[:7]
    assert choose("other", None, options).base_name(3) == f"ephemeral_3_{digest}"


def test_a_command_gets_label_and_target(tmp_path):
    options = FileSystemOptions(commands={"default": "cp %(target)s %(target)s.%(fs_label)s"})
    (tmp_path / "disk").write_text("x")
    choose(None, None, options).make(tmp_path / "disk", "ephemeral0")
    assert (tmp_path / "disk.ephemeral0").exists()


@pytest.mark.parametrize("kind", ["ext4", "ext3", "vfat"])
def test_it_is_made_in_a_plain_file_with_its_label(kind, tmp_path):
    if shutil.which(f"mkfs.{kind}", path=PATH) is None:
        pytest.skip(f"mkfs.{kind} is not installed")
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    choose(None, None, FileSystemOptions(kind)).make(disk, "ephemeral1")
    if shutil.which("blkid", path=PATH):
        command = [shutil.which("blkid", path=PATH), "-p", "-o", "export", disk]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert f"TYPE={kind}" in said
        assert "ephemeral1" in said.lower()


@needs("mkswap")
def test_swap(tmp_path):
    disk = tmp_path / "swap"
    with disk.open("wb") as file:
        file.truncate(1 << 20)
    make_swap(disk)
    assert disk.read_bytes()[4086:4096] == b"SWAPSPACE2"
    assert swap_base_name(512) == "swap_512"


def test_a_maker_that_fails_is_named(tmp_path):
    with pytest.raises(errors.ImageToolFailed, match="mkfs"):
        choose(None, "ext4", FileSystemOptions()).make(tmp_path / "nothing" / "disk", "l")
    with pytest.raises(errors.ImageToolFailed, match="no-such-program"):
        options = FileSystemOptions(commands={"default": "no-such-program"})
        choose(None, None, options).make(tmp_path / "disk", "l")
