"""Messages from threads of the interpreter to threads of our own kind, green or not."""

from __future__ import annotations

import socket
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

_WAKE = b"\0"


class Mailbox(Generic[T]):
    """A queue whose sender never waits, and whose receiver waits on a socket: a queue of the standard
    library is green where it was patched, and must then not be touched by another thread."""

    def __init__(self) -> None:
        self._letters: deque[T] = deque()
        self._receiving, self._sending = socket.socketpair()
        self._sending.setblocking(False)
        self._is_closed = False

    def post(self, letter: T) -> None:
        """Leave a message; from any thread. After `close` it is lost."""
        self._letters.append(letter)
        self._wake()

    def take(self, timeout_seconds: float | None = None) -> T | None:
        """Wait for the next message; None when the box is closed and empty. For one thread at a time.

        Raises TimeoutError when nothing has come in time.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            try:
                return self._letters.popleft()
            except IndexError:
                if self._is_closed:
                    return None
            left_seconds = None if deadline is None else deadline - time.monotonic()
            if left_seconds is not None and left_seconds <= 0:
                raise TimeoutError
            self._receiving.settimeout(left_seconds)
            self._receiving.recv(4096)

    def close(self) -> None:
        """Let `take` end once it has given out what is here."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._sending.send(_WAKE)
        except BlockingIOError:
            # It is full of wake-ups already.
            pass
