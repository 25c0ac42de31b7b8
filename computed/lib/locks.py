"""Locks by key, such as one per instance, that exist only while somebody holds or awaits them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class _Entry:
    """Who holds the lock of one key, how often, and who comes next."""

    def __init__(self) -> None:
        self.owner: int | None = None
        self.depth = 0
        self.queue: deque[threading.Event] = deque()


class KeyedLocks:
    """One lock per key, re-entrant and fair: whoever asks first gets it first, so that a verb cannot be
    overtaken for ever by later ones. Nothing is kept for a key that nobody is interested in."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Wait for the lock of `key`, hold it for the block; the same thread may take it again inside."""
        entry = self._acquire(key, waits=True)
        assert entry is not None
        try:
            yield
        finally:
            self._release(key, entry)

    @contextmanager
    def try_hold(self, key: str) -> Iterator[bool]:
        """As `hold`, without waiting: the block is told whether it has the lock."""
        entry = self._acquire(key, waits=False)
        if entry is None:
            yield False
            return
        try:
            yield True
        finally:
            self._release(key, entry)

    def __len__(self) -> int:
        """How many keys are held or awaited right now."""
        with self._guard:
            return len(self._entries)

    def _acquire(self, key: str, *, waits: bool) -> _Entry | None:
        """The entry, held; None when that would take waiting and `waits` is false."""
        me = threading.get_ident()
        with self._guard:
            entry = self._entries.setdefault(key, _Entry())
            if entry.depth == 0 or entry.owner == me:
                entry.owner = me
                entry.depth += 1
                return entry
            if not waits:
                return None
            turn = threading.Event()
            entry.queue.append(turn)
        try:
            turn.wait()
        except BaseException:
            self._leave_queue(key, entry, turn)
            raise
        entry.owner = me
        return entry

    def _leave_queue(self, key: str, entry: _Entry, turn: threading.Event) -> None:
        with self._guard:
            is_waiting = turn in entry.queue
            if is_waiting:
                entry.queue.remove(turn)
        if not is_waiting:
            self._release(key, entry)  # it was handed to us just before we gave up

    def _release(self, key: str, entry: _Entry) -> None:
        with self._guard:
            entry.depth -= 1
            if entry.depth:
                return
            entry.owner = None
            if entry.queue:
                # Handed over, not set free: nobody can slip in between.
                entry.depth = 1
                entry.queue.popleft().set()
            else:
                del self._entries[key]
