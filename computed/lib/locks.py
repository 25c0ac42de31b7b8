"""Locks by key, such as one per instance, that exist only while somebody holds or awaits them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Entry:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.interested = 0


class KeyedLocks:
    """One re-entrant lock per key. Nothing is kept for a key that nobody is interested in."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Wait for the lock of `key`, hold it for the block; the same thread may take it again inside."""
        with self._entry(key) as entry, entry.lock:
            yield

    @contextmanager
    def try_hold(self, key: str) -> Iterator[bool]:
        """Hold the lock of `key` for the block if it is free, and say whether it was; never wait."""
        with self._entry(key) as entry:
            is_held = entry.lock.acquire(blocking=False)
            try:
                yield is_held
            finally:
                if is_held:
                    entry.lock.release()

    @contextmanager
    def _entry(self, key: str) -> Iterator[_Entry]:
        with self._guard:
            entry = self._entries.setdefault(key, _Entry())
            entry.interested += 1
        try:
            yield entry
        finally:
            with self._guard:
                entry.interested -= 1
                if not entry.interested:
                    del self._entries[key]

    def __len__(self) -> int:
        """How many keys are held or awaited right now."""
        with self._guard:
            return len(self._entries)
