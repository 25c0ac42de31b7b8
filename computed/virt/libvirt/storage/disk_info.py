"""The record of an instance's disk formats, so that no format is ever found out by looking at a guest's data.

A guest can write what it likes to the start of its raw disk; a tool that guesses would take it for another
format and follow the paths in it. So the format is written down when the disk is made (contract disk_info).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from computed import errors
from computed.lib.locks import KeyedLocks

FORMATS: Final = frozenset({"raw", "qcow2", "ploop"})
_locks: Final = KeyedLocks()


def read(record: Path) -> dict[str, str]:
    """The formats by absolute path of the disk; empty when nothing was recorded yet.

    Raises InvalidDiskInfo when the file is no such record, DiskInfoReadWriteFail when it cannot be read.
    """
    try:
        text = record.read_text(encoding="utf-8").rstrip()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise errors.DiskInfoReadWriteFail(reason=f"{record}: {error}") from error
    return _parsed(record, text) if text else {}


def _parsed(record: Path, text: str) -> dict[str, str]:
    try:
        known = json.loads(text)
    except ValueError as error:
        raise errors.InvalidDiskInfo(reason=f"{record} is not JSON") from error
    if not isinstance(known, Mapping) or not all(isinstance(value, str) for value in known.values()):
        raise errors.InvalidDiskInfo(reason=f"{record} is not a record of paths and formats")
    return dict(known)


def format_of(record: Path, disk: Path) -> str | None:
    """The recorded format of one disk, None when there is none. Raises what `read` raises, and
    InvalidDiskInfo for a format that no disk of an instance can have."""
    found = read(record).get(str(disk))
    if found is not None and found not in FORMATS:
        raise errors.InvalidDiskInfo(reason=f"{record} has format {found!r} for {disk}")
    return found


def remember(record: Path, disk: Path, disk_format: str) -> str:
    """Record the format of a new disk and return what is recorded: the first word stays.

    Raises what `format_of` raises, DiskInfoReadWriteFail when it cannot be written.
    """
    if disk_format not in FORMATS:
        raise errors.InvalidDiskFormat(disk_format=disk_format)
    with _locks.hold(str(record)):
        first = format_of(record, disk)
        if first is None:
            _write(record, {**read(record), str(disk): disk_format})
        return first or disk_format


def forget(record: Path, disk: Path) -> None:
    """Take one disk out of the record, because it is removed. Raises what `remember` raises."""
    with _locks.hold(str(record)):
        known = read(record)
        if known.pop(str(disk), None) is not None:
            _write(record, known)


def _write(record: Path, formats: Mapping[str, str]) -> None:
    new = record.with_name(f"{record.name}.tmp")
    try:
        new.unlink(missing_ok=True)
        # O_EXCL: nobody can have put a link there to lead the write elsewhere.
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as file:
            file.write(json.dumps(formats) + "\n")
        new.rename(record)
    except OSError as error:
        raise errors.DiskInfoReadWriteFail(reason=f"{record}: {error}") from error
