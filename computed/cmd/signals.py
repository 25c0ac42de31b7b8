"""SIGTERM, SIGINT and SIGHUP as values that the main thread waits for."""

from __future__ import annotations

import os
import select
import signal
from enum import Enum
from types import FrameType


class Told(Enum):
    """What the operator wants."""

    STOP = "stop"
    RELOAD = "reload"


_MEANING = {signal.SIGTERM: Told.STOP, signal.SIGINT: Told.STOP, signal.SIGHUP: Told.RELOAD}


class Signals:
    """Catches the signals from its making on.

    Until `serve`, a signal to stop ends the process at once (SystemExit in the main thread, whatever it
    waits for): nothing has been accepted yet that would have to be finished. The interpreter itself
    writes each signal's number into a pipe, which a thread of either kind can wait for; a handler that
    did so could run where green threads must not block.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._is_serving = False
        for number in _MEANING:
            signal.signal(number, self._handle)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def serve(self) -> None:
        """From now on a signal to stop is something to be waited for."""
        self._is_serving = True

    def wait(self) -> Told:
        """Wait for the next signal."""
        while True:
            select.select([self._reader], [], [])
            told = _MEANING.get(signal.Signals(os.read(self._reader, 1)[0]))
            if told is not None:
                return told

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._is_serving and _MEANING[signal.Signals(number)] is Told.STOP:
            raise SystemExit(0)
