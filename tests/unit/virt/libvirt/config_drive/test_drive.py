"""Config drives made by the real programs, and read back by others."""

import os
import shutil
import stat
import subprocess

import pytest

from computed import errors
from computed.virt.libvirt.config_drive.drive import DriveOptions, make_drive

TREE = {
    "openstack/latest/meta_data.json": b'{"uuid": "u"}',
    "openstack/2018-08-27/meta_data.json": b"{}",
    "openstack/content/0000": bytes(range(256)),
    "openstack/latest/vendor_data2.json": b"{}",
    "ec2/latest/meta-data.json": b"{}",
    "openstack/latest/user_data": b"",
}


def needs(*programs):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "disk.config"


def options(file_system="iso9660", program="mkisofs"):
    return DriveOptions("computed 1.0", file_system=file_system, iso_program=program)


def isoinfo(image, *words):
    return subprocess.run(["isoinfo", "-i", image, *words], check=True, capture_output=True).stdout


@needs("mkisofs", "isoinfo")
@pytest.mark.parametrize("names", ["-R", "-J"])
def test_an_iso_has_every_file_by_its_name(names, target):
    make_drive(TREE, target, options())
    for name, content in TREE.items():
        assert isoinfo(target, names, "-x", "/" + name) == content


@needs("mkisofs", "isoinfo")
def test_an_iso_says_what_it_is(target):
    make_drive(TREE, target, options())
    described = isoinfo(target, "-d").decode()
    assert "Volume id: config-2\n" in described
    assert "Publisher id: COMPUTED 1.0\n".lower() in described.lower()
    assert "Joliet with UCS level 3 found" in described
    assert "Rock Ridge signatures version 1 found" in described


@needs("mkfs.vfat", "mcopy", "mlabel", "mtype")
def test_a_fat_has_every_file_by_its_name(target):
    make_drive(TREE, target, options("vfat"))
    assert target.stat().st_size == 64 << 20
    for name, content in TREE.items():
        read = subprocess.run(["mtype", "-i", target, f"::/{name}"], check=True, capture_output=True)
        assert read.stdout == content, name
    label = subprocess.run(["mlabel", "-s", "-i", target, "::"], check=True, capture_output=True).stdout
    assert b"config-2" in label.lower()


@needs("mkfs.vfat", "mcopy", "fsck.vfat")
def test_a_fat_with_more_than_its_usual_size_is_larger(target):
    make_drive({"openstack/content/0000": b"x" * (80 << 20)}, target, options("vfat"))
    assert target.stat().st_size > 80 << 20
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    fsck = shutil.which("fsck.vfat", path=path)
    assert subprocess.run([fsck, "-n", target], capture_output=True).returncode == 0


@needs("mkisofs")
def test_the_program_is_the_one_of_the_option(target, tmp_path):
    program, log = tmp_path / "my mkisofs", tmp_path / "log"
    program.write_text(f'#!/bin/sh\necho "$@" > {log}\nexec mkisofs "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    make_drive(TREE, target, options(program=str(program)))
    assert "-V config-2" in log.read_text()
    assert target.exists()


@needs("mkisofs")
def test_a_new_drive_takes_the_place_of_the_old(target):
    target.write_bytes(b"old")
    make_drive(TREE, target, options())
    assert target.stat().st_size > 3
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("program", ["a-program-that-is-not-there", "false"])
def test_a_program_that_fails_is_named_and_the_old_drive_stays(program, target):
    target.write_bytes(b"old")
    with pytest.raises(errors.ConfigDriveMountFailed, match=program):
        make_drive(TREE, target, options(program=program))
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_system_that_is_none(target):
    with pytest.raises(errors.ConfigDriveUnknownFormat, match="ext4"):
        make_drive(TREE, target, options("ext4"))


@pytest.mark.parametrize("name", ["../x", "/etc/x", "openstack/../../x"])
def test_nothing_is_written_beside_the_drive(name, target, tmp_path):
    with pytest.raises(ValueError, match="leads out"):
        make_drive({name: b"x"}, target, options())
    assert list(tmp_path.iterdir()) == []


@needs("mkisofs")
def test_its_secrets_are_nobody_elses_while_it_is_made_and_gone_after(target, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "scratch").mkdir()
    program, log = tmp_path / "program", tmp_path / "log"
    program.write_text(f'#!/bin/sh\nstat -c %a {tmp_path}/scratch/* > {log}\nexec mkisofs "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    make_drive(TREE, target, options(program=str(program)))
    assert log.read_text() == "700\n"
    assert list((tmp_path / "scratch").iterdir()) == []
