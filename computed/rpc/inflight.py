"""Which RPC messages have been received and are not finished, so that a shutdown can wait for them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class InFlight:
    """Counts messages from their receipt (the broker has forgotten them then) to the end of their work."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts: Counter[str] = Counter()
        self._instances: Counter[str] = Counter()

    def begin(self, method: str, instance_uuid: str | None = None) -> None:
        """A message that calls `method` (about an instance) has been received, or work for it been handed to
        another thread."""
        with self._changed:
            self._counts[method] += 1
            if instance_uuid is not None:
                self._instances[instance_uuid] += 1

    def end(self, method: str, instance_uuid: str | None = None) -> None:
        """What `begin` announced, with the same words, is finished."""
        with self._changed:
            _lessen(self._counts, method)
            if instance_uuid is not None:
                _lessen(self._instances, instance_uuid)
            self._changed.notify_all()

    @contextmanager
    def track(self, method: str) -> Iterator[None]:
        """`begin` and, however the block ends, `end`."""
        self.begin(method)
        try:
            yield
        finally:
            self.end(method)

    def counts(self) -> dict[str, int]:
        """Method → how many messages of it are not finished."""
        with self._changed:
            return dict(self._counts)

    def concerns(self, instance_uuid: str) -> bool:
        """Whether a message about that instance is not finished."""
        with self._changed:
            return instance_uuid in self._instances

    def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until nothing is in flight; False when the time is up before that."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._counts, timeout_seconds)


def _lessen(counts: Counter[str], word: str) -> None:
    counts[word] -= 1
    if counts[word] <= 0:
        del counts[word]
