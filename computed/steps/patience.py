"""Outlives a conductor or a broker that is restarted in the middle of a verb."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from computed import errors

LOG = logging.getLogger(__name__)
Result = TypeVar("Result")

PATIENCE_SECONDS: Final = 600.0
SHORT_PATIENCE_SECONDS: Final = 180.0
"""For what stands around a verb: somebody may be waiting for its answer."""
FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0


def patiently(
    what: str,
    attempt: Callable[[bool], Result],
    *,
    stopping: threading.Event,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Result:
    """Call `attempt` until the conductor (or the bus, for a cast) has answered it; return what it returns.

    `attempt(is_repeated)` must be safe to repeat: when the answer to an earlier call was lost, the thing
    may have been done already, which is what `is_repeated` warns of. `what` names it in the log.
    Raises ConductorUnavailable or ComputeUnavailable when the patience is over or the agent stops, and
    whatever else `attempt` raises.
    """
    deadline = time.monotonic() + patience_seconds
    pause_seconds = FIRST_PAUSE_SECONDS
    is_repeated = False
    while True:
        try:
            return attempt(is_repeated)
        except (errors.ConductorUnavailable, errors.ComputeUnavailable) as error:
            left = deadline - time.monotonic()
            if left <= 0 or stopping.is_set():
                raise
            LOG.warning("%s: %s; trying again in %.1f s", what, error, pause_seconds)
            if stopping.wait(min(pause_seconds, left)):
                raise
        is_repeated = True
        pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)


def insistently(
    what: str,
    deed: Callable[[], Result],
    *,
    stopping: threading.Event,
    attempts: int = 3,
    final: tuple[type[Exception], ...] = (),
) -> Result:
    """Do what is safe to repeat, and again when it fails; returns what it returns, raises what failed last.

    Errors of the kinds `final` are raised at once: they would come again.

    For giving things back: what is not given back now, nobody gives back later.
    """
    pause_seconds = FIRST_PAUSE_SECONDS
    for number in range(1, attempts + 1):
        try:
            return deed()
        except Exception as error:
            if number == attempts or stopping.is_set() or isinstance(error, final):
                raise
            LOG.warning("%s: %s: %s; trying again", what, type(error).__name__, error)
            stopping.wait(pause_seconds)
        pause_seconds *= 2
    raise AssertionError("there is at least one attempt")
