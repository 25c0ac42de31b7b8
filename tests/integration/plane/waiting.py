"""Waits that always end: ask a question until it is answered, or fail by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NotYet(Exception):
    """Raised by a probe to say what is still missing."""


class WaitTimeout(AssertionError):
    """What was waited for did not come; the message holds the last thing seen."""


def until(what: str, probe: Callable[[], T], seconds: float, pause: float = 0.25) -> T:
    """Call ``probe`` until it returns without raising ``NotYet``; its result is returned.

    Raises WaitTimeout after ``seconds``.  Any other exception of the probe ends the wait at once.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return probe()
        except NotYet as missing:
            if time.monotonic() >= end:
                raise WaitTimeout(f"{what}: not within {seconds:g} s: {missing}") from None
        time.sleep(pause)
