"""Fetches an image's bytes into a file: goes on where a connection broke, knows if they are right."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from computed import errors
from computed.lib.offload import offload

LOG = logging.getLogger(__name__)

_CHUNK_BYTES: Final = 1 << 20
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image that can be fetched.

    `disk_format` is what its owner declared; `size_bytes`, `algorithm` and `digest` (hexadecimal) are None
    where the image service does not tell. `read` gives the bytes from an offset on, in chunks; it raises
    GlanceConnectionFailed when the connection breaks, and whatever says that there is no such image.
    """

    image_id: str
    disk_format: str | None
    read: Callable[[int], Iterator[bytes]] = field(repr=False)
    size_bytes: int | None = None
    algorithm: str | None = None
    digest: str | None = None

    @classmethod
    def of(cls, image: Any, read: Callable[[int], Iterator[bytes]]) -> ImageSource:
        """The source of an image by its metadata, a dictionary as ImageService.show returns it: the
        strongest hash that it names and this host can compute counts."""
        named = ((image.get("os_hash_algo"), image.get("os_hash_value")), ("md5", image.get("checksum")))
        usable = ((a, d) for a, d in named if a and d and a in hashlib.algorithms_available)
        algorithm, digest = next(usable, (None, None))
        return cls(
            image_id=image["id"],
            disk_format=image.get("disk_format"),
            read=read,
            size_bytes=image.get("size") or None,
            algorithm=algorithm,
            digest=digest and str(digest).lower(),
        )


def fetch(source: ImageSource, target: Path, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
    """Have the whole image in `target`, on the disk, verified.

    What an earlier `fetch` left there is kept when the image has a hash that tells if it was right; when it
    was not, the image is fetched once more from its start. Raises CouldNotFetchImage (wrong hash or length;
    the file is removed), GlanceConnectionFailed (the connection broke again and again without bringing
    anything; the file stays for the next time), OSError (a full disk; the file is removed), and what
    `source.read` raises.
    """
    part = _Part.open(source, target)
    try:
        _fill_and_check(source, part, pause_seconds)
    except errors.GlanceConnectionFailed:
        raise
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        part.close()


def _fill_and_check(source: ImageSource, part: _Part, pause_seconds: float) -> None:
    taken_over = part.length
    try:
        _fill(source, part, pause_seconds)
        part.check()
    except errors.CouldNotFetchImage as error:
        if not taken_over:
            raise
        # A host that crashed, or another agent, may have left anything there: the image need not be wrong.
        LOG.warning("%s Its first %d bytes were left here; it is fetched again", error, taken_over)
        part.clear()
        _fill(source, part, pause_seconds)
        part.check()


def _fill(source: ImageSource, part: _Part, pause_seconds: float) -> None:
    failures = 0
    while not part.is_full():
        before = part.length
        try:
            for chunk in source.read(part.length):
                part.append(chunk)
            return
        except errors.GlanceConnectionFailed as error:
            failures = 1 if part.length > before else failures + 1
            if failures >= _TRIES:
                raise
            LOG.warning(
                "The download of image %s broke at byte %d, it goes on from there: %s",
                source.image_id,
                part.length,
                error,
            )
            time.sleep(pause_seconds)


class _Part:
    """The file that grows, and the hash of what is in it."""

    def __init__(self, source: ImageSource, file: Any) -> None:
        self._source = source
        self._file = file
        self.length = 0
        self._hash = self._new_hash()

    def _new_hash(self) -> Any:
        # MD5 guards against broken transfers here, not against forgers: allowed under FIPS.
        name = self._source.algorithm
        return hashlib.new(name, usedforsecurity=name != "md5") if name else None

    @classmethod
    def open(cls, source: ImageSource, target: Path) -> _Part:
        """The file with what is there of the image, empty when that cannot be verified at the end."""
        fd = os.open(target, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        part = cls(source, os.fdopen(fd, "r+b"))
        try:
            offload(part._take_over)
        except BaseException:
            part.close()
            raise
        return part

    def _take_over(self) -> None:
        size = os.fstat(self._file.fileno()).st_size
        if self._hash is None or size > (self._source.size_bytes or 0):
            self._file.truncate(0)
            return
        while chunk := self._file.read(_CHUNK_BYTES):
            self._hash.update(chunk)
            self.length += len(chunk)

    def clear(self) -> None:
        """Begin again with nothing."""
        self._file.seek(0)
        offload(self._file.truncate, 0)
        self.length = 0
        self._hash = self._new_hash()

    def is_full(self) -> bool:
        return self._source.size_bytes is not None and self.length >= self._source.size_bytes

    def append(self, chunk: bytes) -> None:
        wanted = self._source.size_bytes
        if wanted is not None and self.length + len(chunk) > wanted:
            raise errors.CouldNotFetchImage(
                f"Image {self._source.image_id} has more than its {wanted} bytes."
            )
        offload(self._write, chunk)
        self.length += len(chunk)

    def _write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        if self._hash is not None:
            self._hash.update(chunk)

    def check(self) -> None:
        """Raise CouldNotFetchImage unless it is the image; else have it on the disk."""
        source = self._source
        if source.size_bytes is not None and self.length != source.size_bytes:
            raise errors.CouldNotFetchImage(
                f"Image {source.image_id} came with {self.length} bytes instead of {source.size_bytes}."
            )
        if self._hash is not None and self._hash.hexdigest() != source.digest:
            raise errors.CouldNotFetchImage(
                f"Image {source.image_id} came with a wrong {source.algorithm} hash."
            )
        self._file.flush()
        offload(os.fsync, self._file.fileno())

    def close(self) -> None:
        self._file.close()
