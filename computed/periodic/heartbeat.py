"""The heartbeat: a service that counts on is up (contract: periodic_tasks.json, heartbeat)."""

from __future__ import annotations

import logging
import threading
from typing import Any

from computed import errors

LOG = logging.getLogger(__name__)


class Heartbeat:
    """Saves the service record every `interval_seconds`, in a thread of its own."""

    def __init__(self, record: Any, interval_seconds: float) -> None:
        self._record = record
        self._interval_seconds = interval_seconds
        self._is_lost = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Beat now, and then for as long as nobody says stop."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more. Does not wait: a beat may hang on a broker that is gone."""
        self._stopping.set()

    def _loop(self) -> None:
        while True:
            self.beat()
            if self._stopping.wait(self._interval_seconds):
                return

    def beat(self) -> None:
        """Count one up and save; never raises. A loss is logged when it begins, and its end."""
        try:
            self._record.report_count += 1
            self._record.save()
        except errors.ConductorUnavailable as error:
            self._lost("No heartbeat: %s", error)
        except errors.ServiceNotFound:
            self._lost(
                "The record of this service is gone. If that was meant, stop this agent; if not, start it "
                "anew and it makes a new one."
            )
        except Exception:
            self._is_lost = True
            LOG.exception("No heartbeat; it is tried again in %s s", self._interval_seconds)
        else:
            if self._is_lost:
                self._is_lost = False
                LOG.info("The heartbeat is back")

    def _lost(self, message: str, *arguments: object) -> None:
        if not self._is_lost:
            LOG.warning(message, *arguments)
        self._is_lost = True
