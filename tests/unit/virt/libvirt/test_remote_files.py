"""Files on another host: the commands, and rsync really run, through a shell that stays at home."""

import shutil
from pathlib import Path

import pytest
from oslo_concurrency import processutils

from computed import errors
from computed.virt.libvirt.remote_files import RemoteFiles

AT_HOME = """#!/bin/sh
# The shell of another host that is this one: rsync gives options and the host before the command.
while [ "${1#-}" != "$1" ]; do shift; done
shift
exec sh -c "$*"
"""


class Commands:
    """Notes every command; those named in `failing` fail."""

    def __init__(self, failing=()):
        self.ran = []
        self._failing = failing

    def __call__(self, *words):
        self.ran.append(words)
        if any(word in words for word in self._failing):
            raise processutils.ProcessExecutionError(stderr="no route to host", exit_code=255)
        return "", ""


OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15")
SSH = ("ssh", *OPTIONS, "192.0.2.7")


def test_ssh(tmp_path):
    commands = Commands()
    remote = RemoteFiles("192.0.2.7", execute=commands)
    remote.make_directory(Path("/srv/a b"))
    remote.remove_directory(Path("/srv/$(reboot)"))
    remote.send(Path("/srv/disk"), Path("/srv/u/disk"), file_format="raw")
    remote.send(Path("/srv/disk"), Path("/srv/u/disk"), file_format="qcow2")
    scp = ("scp", *OPTIONS)
    assert commands.ran == [
        (*SSH, "mkdir", "-p", "'/srv/a b'"),
        (*SSH, "rm", "-rf", "'/srv/$(reboot)'"),
        (*scp, "-C", "/srv/disk", "192.0.2.7:/srv/u/disk"),
        (*scp, "/srv/disk", "192.0.2.7:/srv/u/disk"),
    ]


def test_an_address_with_colons():
    commands = Commands()
    RemoteFiles("2001:db8::7", execute=commands).send(Path("/a"), Path("/b"))
    assert commands.ran[0][-1] == "[2001:db8::7]:/b"


def test_a_mark_that_is_not_seen_here_is_removed_there(tmp_path):
    commands = Commands()
    assert RemoteFiles("192.0.2.7", execute=commands).shares(tmp_path) is False
    made, removed = commands.ran
    assert made[:-1] == (*SSH, "touch") and removed == (*SSH, "rm", made[-1])
    assert made[-1].startswith(str(tmp_path)) and made[-1].endswith(".tmp")


def test_failures_name_the_command():
    remote = RemoteFiles("192.0.2.7", execute=Commands(failing=("mkdir",)))
    with pytest.raises(errors.RemoteFilesFailed, match=r"ssh .* mkdir -p /srv/x: no route to host"):
        remote.make_directory(Path("/srv/x"))
    with pytest.raises(errors.RemoteFilesFailed, match="cannot be run"):
        RemoteFiles("h", execute=lambda *words: Path("/nonexistent").read_bytes()).make_directory(Path("/x"))


@pytest.fixture
def rsync(tmp_path, monkeypatch):
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    shell = tmp_path / "shell"
    shell.write_text(AT_HOME)
    shell.chmod(0o755)
    monkeypatch.setenv("RSYNC_RSH", str(shell))
    return RemoteFiles("elsewhere", "rsync")


def test_rsync(rsync, tmp_path):
    there = tmp_path / "there"
    there.mkdir(mode=0o711)
    (there / "other").mkdir()
    directory = there / "instance"
    rsync.make_directory(directory)
    rsync.make_directory(directory)
    assert directory.is_dir() and there.stat().st_mode & 0o777 == 0o711
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(4 << 20)
        file.write(b"end")
    rsync.send(disk, directory / "disk", file_format="raw")
    assert (directory / "disk").read_bytes() == disk.read_bytes()
    assert (directory / "disk").stat().st_blocks * 512 < 1 << 20
    assert rsync.shares(there) is True
    rsync.fetch(directory / "disk", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == disk.read_bytes()
    rsync.remove_directory(directory)
    rsync.remove_directory(directory)
    assert [path.name for path in there.iterdir()] == ["other"]
    with pytest.raises(errors.RemoteFilesFailed, match="rsync"):
        rsync.send(tmp_path / "missing", directory / "disk")
