"""SIGTERM, SIGINT and SIGHUP as values that the main thread waits for."""

from __future__ import annotations

import os
import select
import signal
from enum import Enum
from types import FrameType


class Told(Enum):
    """What the operator wants."""

    STOP = b"t"
    RELOAD = b"h"


class Signals:
    """Catches the signals from its making on.

    Until `serve`, a signal to stop ends the process at once (SystemExit in the main thread, whatever it
    waits for): nothing has been accepted yet that would have to be finished. A byte through a pipe is
    the one way from a handler to a waiting thread that works with green threads and with real ones.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._is_serving = False
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, self._reload)

    def serve(self) -> None:
        """From now on a signal to stop is something to be waited for."""
        self._is_serving = True

    def wait(self) -> Told:
        """Wait for the next signal."""
        select.select([self._reader], [], [])
        return Told(os.read(self._reader, 1))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._is_serving:
            raise SystemExit(0)
        self._say(Told.STOP)

    def _reload(self, number: int, frame: FrameType | None) -> None:
        self._say(Told.RELOAD)

    def _say(self, told: Told) -> None:
        try:
            os.write(self._writer, told.value)
        except BlockingIOError:
            pass  # so many signals are waiting already that one more changes nothing
