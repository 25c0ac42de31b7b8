"""One run for all who want the same at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs a function once for each key however many threads ask while it runs; all get what it gives."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._flights: dict[str, Future[T]] = {}

    def do(
        self,
        key: str,
        function: Callable[[], T],
        *,
        while_idle: Callable[[], Any] = nullcontext,
        not_shared: tuple[type[Exception], ...] = (),
    ) -> T:
        """The result of `function`, or of the one that somebody runs for `key` already; while that is waited
        for, the context manager `while_idle()` is entered.

        Raises what that one raises. When its thread is killed, or it fails with one of `not_shared` (which
        concern only whoever runs it), one of those who wait runs theirs.
        """
        while True:
            with self._guard:
                flight = self._flights.get(key)
                if flight is None:
                    mine = self._flights[key] = Future()
                    break
            with while_idle():
                error = flight.exception()
            if error is None:
                return flight.result()
            if isinstance(error, Exception) and not isinstance(error, not_shared):
                # Its traceback belongs to the thread that ran it.
                raise error.with_traceback(None)
        return self._lead(key, mine, function)

    def _lead(self, key: str, mine: Future[T], function: Callable[[], T]) -> T:
        try:
            result = function()
        except BaseException as error:
            self._land(key)
            mine.set_exception(error)
            raise
        self._land(key)
        mine.set_result(result)
        return result

    def _land(self, key: str) -> None:
        with self._guard:
            del self._flights[key]

    def __len__(self) -> int:
        """How many run now."""
        with self._guard:
            return len(self._flights)
