"""How long each part of something took."""

from __future__ import annotations

import time
from collections.abc import Callable


class Stopwatch:
    """Runs from its making; `enter` says what the time counts for from now on, and may come back to it."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._name = name
        self._since = clock()
        self._seconds: dict[str, float] = {}

    def enter(self, name: str) -> None:
        """The time until now was for what was named before."""
        now = self._clock()
        self._seconds[self._name] = self._seconds.get(self._name, 0.0) + now - self._since
        self._name, self._since = name, now

    def __str__(self) -> str:
        """The sum and its parts until now: `1.25 s (claim 0.05, spawn 1.20)`."""
        self.enter(self._name)
        parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in self._seconds.items())
        return f"{sum(self._seconds.values()):.2f} s ({parts})"
