"""Spare connections to libvirt, for a client library that cannot bear two calls at once on one connection.

Before 10.4 a second caller wakes the first out of its wait for libvirtd, and what the first had registered on
its stack stays behind (CVE-2024-4418): when libvirtd falls silent in the middle of calls, it crashes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_MENDED: Final = 10_004_000
_MOST_IDLE: Final = 4


def are_needed(client_version: int) -> bool:
    """Whether the client library of this version (9_000_000 is 9.0.0) has the fault."""
    return client_version < _MENDED


class Spares:
    """Lends connections, each to one caller at a time: the main one if it is free, else a spare.

    There are as many as there were calls at once; `_MOST_IDLE` of them are kept. `connect` makes one, `close`
    must not wait.
    """

    def __init__(
        self, connect: Callable[[], Any], *, is_alive: Callable[[Any], bool], close: Callable[[Any], Any]
    ) -> None:
        self._connect = connect
        self._is_alive = is_alive
        self._close = close
        self._guard = threading.Condition()
        self._taken: set[Any] = set()
        self._idle: list[Any] = []
        self._is_closed = False

    @contextmanager
    def lease(self, main: Any) -> Iterator[Any]:
        """A virConnect that nobody else has meanwhile; raises HypervisorUnavailable."""
        raw = self._free(main) or self._new()
        try:
            yield raw
        finally:
            self._give_back(raw, is_spare=raw is not main)

    @contextmanager
    def lease_only(self, main: Any) -> Iterator[None]:
        """Nobody has the main connection meanwhile: whoever has it now is waited for."""
        with self._guard:
            self._guard.wait_for(lambda: main not in self._taken)
            self._taken.add(main)
        try:
            yield
        finally:
            self._give_back(main, is_spare=False)

    def is_taken(self, raw: Any) -> bool:
        """Whether somebody has it now."""
        with self._guard:
            return raw in self._taken

    def close(self) -> None:
        """Let go of those that nobody has; the others are not kept when they come back."""
        with self._guard:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for raw in idle:
            self._close(raw)

    def _free(self, main: Any) -> Any:
        """One that is there already, taken; None if there is none."""
        dead = []
        with self._guard:
            raw = main if main not in self._taken else None
            while raw is None and self._idle:
                last = self._idle.pop()
                if self._is_alive(last):
                    raw = last
                else:
                    dead.append(last)
            if raw is not None:
                self._taken.add(raw)
        for each in dead:
            self._close(each)
        return raw

    def _new(self) -> Any:
        raw = self._connect()
        with self._guard:
            self._taken.add(raw)
        return raw

    def _give_back(self, raw: Any, *, is_spare: bool) -> None:
        with self._guard:
            self._taken.discard(raw)
            self._guard.notify_all()
            if not is_spare:
                return
            if not self._is_closed and self._is_alive(raw) and len(self._idle) < _MOST_IDLE:
                self._idle.append(raw)
                return
        self._close(raw)
