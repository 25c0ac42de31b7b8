"""Who watches a connection: what it was told, and whether other threads go on meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from computed.virt.libvirt.connection import Connection
from computed.virt.libvirt.opening import Patience

QUICK = Patience(open_seconds=2.0, keepalive_seconds=1, keepalive_count=1, retry_seconds=0.3)
"""A libvirt that is silent is given up after 2 seconds."""
SILENCE_SECONDS = 2.0
LEAST_DOMAIN = (
    "<domain type='test'><name>{name}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
)


class Spectator:
    """Remembers what `Connection` tells of reachability."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, str | None]] = []

    def note(self, is_reachable: bool, reason: str | None) -> None:
        self.told.append((is_reachable, reason))

    @property
    def states(self) -> list[bool]:
        return [is_reachable for is_reachable, _ in self.told]

    def connect(self, uri: str, patience: Patience = QUICK) -> Connection:
        connection = Connection(uri, on_reachable=self.note, patience=patience)
        connection.open()
        return connection


class Ticker:
    """Another thread of our kind; it shows whether a call has stopped all of them."""

    def __init__(self) -> None:
        self.longest_pause_seconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Ticker:
        self._thread.start()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._ended.set()
        self._thread.join(5)

    def _run(self) -> None:
        before = time.monotonic()
        while not self._ended.wait(0.01):
            now = time.monotonic()
            self.longest_pause_seconds = max(self.longest_pause_seconds, now - before)
            before = now


def until(true: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
    """Wait for something; fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)
