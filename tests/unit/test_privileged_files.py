"""What the privileged side does with files of instances, and what it refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from computed import privileged
from computed.conf import CONF
from computed.privileged import files

UUID = "5d0a2f3c-6c2e-4f0a-9d5e-1b2c3d4e5f62"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """The directory of an instance; entry points run here, as they do in the helper process."""
    made = tmp_path / "instances" / UUID
    made.mkdir(parents=True)
    CONF.set_override("instances_path", str(tmp_path / "instances"))
    privileged.files_context.set_client_mode(False)
    yield made
    privileged.files_context.set_client_mode(True)
    CONF.clear_override("instances_path")


@pytest.mark.parametrize(
    ("text", "most_bytes", "read"),
    [(b"hello", 100, b"hello"), (b"hello", 2, b"lo"), (b"", 5, b""), (b"x", 0, b"")],
)
def test_the_end_of_a_console_log(directory: Path, text: bytes, most_bytes: int, read: bytes) -> None:
    for name in ("console.log", "console.log.0"):
        (directory / name).write_bytes(text)
        assert files.read_console_log(UUID, name, most_bytes) == read


@pytest.mark.parametrize("name", ["disk", "console.log.x", "console.log\n", "../console.log", "", "."])
def test_nothing_but_a_console_log_is_read(directory: Path, name: str) -> None:
    (directory / "disk").write_text("secret")
    with pytest.raises(ValueError, match="not a console log"):
        files.read_console_log(UUID, name, 100)


def test_no_more_than_a_mebibyte_is_read(directory: Path) -> None:
    (directory / "console.log").write_bytes(b"a" * (3 << 20))
    assert len(files.read_console_log(UUID, "console.log", 1 << 40)) == 1 << 20


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_is_given_to_whom_the_directory_belongs(directory: Path) -> None:
    os.chown(directory, 4321, 4322)
    disk = directory / "disk"
    disk.write_bytes(b"x")
    files.take_file(UUID, "disk")
    assert (disk.stat().st_uid, disk.stat().st_gid) == (4321, 4322)


@pytest.mark.parametrize(
    "uuid", ["", "..", "../instances", UUID.upper(), UUID.replace("-", ""), f"{UUID}/.."]
)
def test_it_is_an_instance_s_directory(directory: Path, uuid: str) -> None:
    with pytest.raises(ValueError):
        files.take_file(uuid, "disk")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/shadow", "a/b", "disk\0"])
def test_it_is_a_file_of_the_directory(directory: Path, name: str) -> None:
    with pytest.raises(ValueError):
        files.take_file(UUID, name)


def test_links_lead_nowhere(directory: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    log = directory / "console.log"
    log.symlink_to(secret)
    with pytest.raises(OSError):
        files.read_console_log(UUID, "console.log", 100)
    log.unlink()
    os.link(secret, log)
    with pytest.raises(ValueError, match="alone"):
        files.read_console_log(UUID, "console.log", 100)
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(ValueError, match="alone"):
        files.read_console_log(UUID, "console.log", 100)


def test_the_instance_s_directory_is_no_link(directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "console.log").write_text("secret")
    directory.rmdir()
    directory.symlink_to(elsewhere)
    with pytest.raises(OSError):
        files.read_console_log(UUID, "console.log", 100)
