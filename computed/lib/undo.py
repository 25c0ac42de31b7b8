"""An undo stack: every step of an operation pushes how to take itself back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOG = logging.getLogger(__name__)

Undo = Callable[[], object]


class UndoStack:
    """Undo actions in the order they were pushed; run newest first, each at most once."""

    def __init__(self) -> None:
        self._undos: list[tuple[str, Undo, bool]] = []

    def push(self, what: str, undo: Undo, *, is_wall: bool = False) -> None:
        """Remember `undo`; `what` names it in the log, e.g. "release the claim".

        `is_wall`: if it fails, what was done before may still be in use, and `rollback` stops there.
        """
        self._undos.append((what, undo, is_wall))

    def commit(self) -> None:
        """The operation has succeeded: forget every undo."""
        self._undos.clear()

    def rollback(self) -> list[tuple[str, Exception]]:
        """Run every undo, newest first, and return those that failed.

        One undo that fails must not keep the others from running, so its error is logged and
        collected, never raised. After a wall that failed the others are left; calling it again runs them.
        """
        failed: list[tuple[str, Exception]] = []
        while self._undos:
            what, undo, is_wall = self._undos.pop()
            try:
                undo()
            except Exception as exc:
                LOG.exception("Undo failed and is skipped: %s", what)
                failed.append((what, exc))
                if is_wall:
                    break
        return failed


@contextmanager
def undo_on_error() -> Iterator[UndoStack]:
    """Yield an `UndoStack` that is rolled back when the block raises anything, else committed."""
    stack = UndoStack()
    try:
        yield stack
    except BaseException:
        stack.rollback()
        raise
    stack.commit()
