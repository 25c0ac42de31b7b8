"""A queue of our own on the plane's broker, read by a thread for as long as somebody listens."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, Generic, Self, TypeVar

from tests.integration.plane import broker
from tests.integration.plane.settings import Settings

Heard = TypeVar("Heard")


class Listener(Generic[Heard]):
    """A context manager; ``heard`` grows, in the order of the broker, while it is open.

    ``bindings`` are pairs of exchange and routing key; ``_understand`` says what a message holds.
    """

    def __init__(self, settings: Settings, bindings: Sequence[tuple[str, str]]) -> None:
        self._settings = settings
        self._bindings = bindings
        self.heard: list[Heard] = []
        self._stop, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30), f"no queue was made for {self._bindings}"
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def settle(self, quiet_seconds: float = 1.0, seconds: float = 15) -> None:
        """Return when nothing new has come for a while (or after ``seconds``)."""
        end, seen, since = time.monotonic() + seconds, len(self.heard), time.monotonic()
        while time.monotonic() < end and time.monotonic() - since < quiet_seconds:
            time.sleep(0.1)
            if len(self.heard) != seen:
                seen, since = len(self.heard), time.monotonic()

    def _understand(self, message: Any) -> list[Heard]:
        raise NotImplementedError

    def _listen(self) -> None:
        with broker.connect(self._settings) as connection:
            channel = connection.channel()
            queue = channel.queue_declare(exclusive=True, auto_delete=True).queue
            for exchange, routing_key in self._bindings:
                channel.queue_bind(queue, exchange, routing_key)
            channel.basic_consume(queue, no_ack=True, callback=self._on_message)
            self._ready.set()
            while not self._stop.is_set():
                try:
                    connection.drain_events(timeout=0.2)
                except TimeoutError:
                    pass

    def _on_message(self, message: Any) -> None:
        self.heard.extend(self._understand(message))
