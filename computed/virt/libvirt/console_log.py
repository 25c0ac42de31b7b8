"""What a guest has printed: the tail of its console log and of the rotated ones before it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 102400
"""contract host_files.json, console_log.max_bytes_read."""
_MOST_FILES: Final = 32

ReadTail = Callable[[Path, int], bytes]


def tail_of(path: Path, most_bytes: int) -> bytes:
    """The end of a file. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - most_bytes, 0))
        return file.read(most_bytes)


def read(log: Path, *, most_bytes: int = MOST_BYTES, read_tail: ReadTail = tail_of) -> bytes:
    """The newest `most_bytes` of the log and of `console.log.0`, `.1`..., which virtlogd makes of it when it
    has grown; empty when nothing was printed yet. Raises OSError."""
    text = b""
    for path in _newest_first(log):
        if len(text) >= most_bytes:
            break
        try:
            text = read_tail(path, most_bytes - len(text)) + text
        except FileNotFoundError:
            # virtlogd has just given it another name.
            continue
    return text


def _newest_first(log: Path) -> Iterator[Path]:
    yield log
    for number in range(_MOST_FILES):
        path = log.with_name(f"{log.name}.{number}")
        if not path.exists():
            return
        yield path
