"""What the services of the one-host cloud have in common: requests counted, and made to fail for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any


class Answering:
    """`by_method` counts what was asked of the service. `on_request` is called with the method's name
    before each is answered and may raise what the service shall answer; `fail` plants such errors one by
    one."""

    def __init__(self) -> None:
        self.by_method: Counter[str] = Counter()
        self.on_request: Callable[[str], None] | None = None
        self._troubles: list[list[Any]] = []

    def fail(self, method: str, error: Exception, *, times: int = 1, after: int = 0) -> None:
        """Let `method` raise `error` the next `times` times, once it has answered `after` times."""
        self._troubles.append([method, error, after, times])

    def asked(self, method: str) -> None:
        """Note a request; raises what a test wants to be answered."""
        self.by_method[method] += 1
        if self.on_request is not None:
            self.on_request(method)
        for trouble in self._troubles:
            if trouble[0] != method or trouble[3] <= 0:
                continue
            if trouble[2] > 0:
                trouble[2] -= 1
                continue
            trouble[3] -= 1
            raise trouble[1]
