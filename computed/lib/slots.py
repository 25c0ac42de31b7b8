"""A limited number of slots, held while something is done, and lent to others while its holder only waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """`limit` of them, or as many as anybody wants when that is 0. Used as a context manager."""

    def __init__(self, limit: int) -> None:
        self._slots = threading.BoundedSemaphore(limit) if limit else None

    def __enter__(self) -> Slots:
        if self._slots is not None:
            self._slots.acquire()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._slots is not None:
            self._slots.release()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """For the holder of a slot while it only waits for somebody else; it has it again afterwards."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()
