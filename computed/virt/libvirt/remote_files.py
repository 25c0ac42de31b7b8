"""Files on another host, reached as [libvirt]remote_filesystem_transport says: ssh, or rsync over it.

The user that the agent runs as must be able to log in there without being asked for anything.
"""

from __future__ import annotations

import logging
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

from oslo_concurrency import processutils

from computed import errors

LOG = logging.getLogger(__name__)

_OPTIONS: Final = (
    *("-o", "BatchMode=yes"),
    # Without these a host that swallows what is sent to it is waited for as long as anybody likes to.
    *("-o", "ConnectTimeout=30"),
    *("-o", "ServerAliveInterval=15"),
)
_RSYNC: Final = ("rsync", "--timeout=300")
_COMPRESSED: Final = frozenset({"qcow2"})
"""Formats that nothing is gained by compressing on the way (contract: what stock does)."""

Execute = Callable[..., tuple[str, str]]


class RemoteFiles:
    """One other host by its address. Every method raises RemoteFilesFailed, naming the command and what it
    said."""

    def __init__(
        self, address: str, transport: str = "ssh", *, execute: Execute = processutils.execute
    ) -> None:
        self._address = address
        self._transport = transport
        self._execute = execute

    def shares(self, directory: Path) -> bool:
        """Whether a directory there is the same as here: a file that is made there is looked for here."""
        mark = directory / f"{uuid4().hex}.tmp"
        self._make_file(mark)
        if mark.exists():
            mark.unlink()
            return True
        self._remove_file(mark)
        return False

    def make_directory(self, directory: Path) -> None:
        """With those above it; one that is there is no error."""
        if self._transport == "ssh":
            self._remotely("mkdir", "-p", directory)
        else:
            self._send_tree(directory, lambda copy: copy.mkdir(parents=True))

    def remove_directory(self, directory: Path) -> None:
        """With all that is in it; one that is not there is no error."""
        if self._transport == "ssh":
            self._remotely("rm", "-rf", directory)
            return
        with tempfile.TemporaryDirectory() as empty:
            self._run(*_RSYNC, "--archive", "--delete-excluded", f"{empty}/", self._place(directory))
            self._remove_entry(directory, empty)

    def send(self, source: Path, target: Path, *, file_format: str | None = None) -> None:
        """Copy one file, its holes as holes where the transport can."""
        compress = file_format not in _COMPRESSED
        self._run(*self._copying(compress=compress), str(source), self._place(target))

    def fetch(self, source: Path, target: Path) -> None:
        """Copy one file from there."""
        self._run(*self._copying(compress=True), self._place(source), str(target))

    def _copying(self, *, compress: bool) -> list[str]:
        if self._transport == "ssh":
            return ["scp", *_OPTIONS, *(["-C"] if compress else [])]
        return [*_RSYNC, "--sparse", *(["--compress"] if compress else [])]

    def _make_file(self, path: Path) -> None:
        if self._transport == "ssh":
            self._remotely("touch", path)
            return

        def make(copy: Path) -> None:
            copy.parent.mkdir(parents=True)
            copy.touch()

        self._send_tree(path, make)

    def _remove_file(self, path: Path) -> None:
        if self._transport == "ssh":
            self._remotely("rm", path)
            return
        with tempfile.TemporaryDirectory() as empty:
            self._remove_entry(path, empty)

    def _remove_entry(self, path: Path, empty: str) -> None:
        """rsync removes one entry of a directory by making nothing else of it like an empty one."""
        only = ("--include", path.name, "--exclude", "*")
        self._run(*_RSYNC, "--archive", "--delete", *only, f"{empty}/", self._place(path.parent))

    def _send_tree(self, path: Path, make: Callable[[Path], None]) -> None:
        """Have rsync make a path there, by sending one that `make` has made here. The directories on the way
        keep their owners and modes if they are there."""
        with tempfile.TemporaryDirectory() as here:
            make(Path(here) / path.relative_to("/"))
            relative = f"{here}/./{path.relative_to('/')}"
            self._run(
                *_RSYNC, "--archive", "--relative", "--no-implied-dirs", relative, self._place(Path("/"))
            )

    def _remotely(self, *words: str | Path) -> None:
        # A shell reads the words there.
        self._run("ssh", *_OPTIONS, self._address, *(shlex.quote(str(word)) for word in words))

    def _place(self, path: Path) -> str:
        """HOST:PATH; an IPv6 address has colons of its own."""
        host = f"[{self._address}]" if ":" in self._address else self._address
        return f"{host}:{path}"

    def _run(self, *command: str) -> None:
        try:
            self._execute(*command)
        except processutils.ProcessExecutionError as error:
            said = (error.stderr or error.description or "").strip() or f"exit code {error.exit_code}"
            raise errors.RemoteFilesFailed(f"{' '.join(command)}: {said}") from error
        except OSError as error:
            raise errors.RemoteFilesFailed(f"{command[0]} cannot be run: {error}") from error
