"""Runs the table of periodic tasks: one thread, one task at a time, each in its own time."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from computed.context import get_admin_context
from computed.periodic.task import Task

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

# How long the thread sleeps at most, so that an option changed at run time is noticed.
_LONGEST_SLEEP_SECONDS: Final = 60.0


class PeriodicRunner:
    """Contract: periodic_tasks.json, scheduler. `now` is a clock in seconds that never goes back."""

    def __init__(
        self,
        host: ComputeHost,
        tasks: Sequence[Task],
        *,
        now: Callable[[], float] = time.monotonic,
        make_context: Callable[[], Any] = get_admin_context,
    ) -> None:
        self._host = host
        self._tasks = tuple(tasks)
        self._now = now
        self._make_context = make_context
        self._last_runs: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, after a random delay that keeps hosts started together from asking together."""
        if not self._host.conf.periodic_enable:
            LOG.info("Periodic tasks are switched off (periodic_enable)")
            return
        self._thread = threading.Thread(target=self._loop, name="periodic", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no further task; the one that runs goes on."""
        self._stopping.set()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the running task to end; False when it did not in time."""
        if self._thread is None:
            return True
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        fuzz = self._host.conf.periodic_fuzzy_delay
        if self._stopping.wait(random.uniform(0, fuzz) if fuzz else 0):
            return
        while not self._stopping.wait(self.run_due()):
            pass

    def run_due(self) -> float:
        """Run, in the order of the table, every task whose time has come; return the seconds until the
        next one's."""
        pause = _LONGEST_SLEEP_SECONDS
        for task in self._tasks:
            if self._stopping.is_set():
                break
            spacing = task.spacing(self._host.conf)
            if spacing is None:
                self._last_runs.pop(task.name, None)
                continue
            pause = min(pause, self._run_if_due(task, spacing))
        return max(0.0, pause)

    def _run_if_due(self, task: Task, spacing: float) -> float:
        """Seconds until the task is due again."""
        is_first = task.name not in self._last_runs
        if is_first:
            self._last_runs[task.name] = self._now()
        left = self._last_runs[task.name] + spacing - self._now()
        if left > 0 and not (is_first and task.run_immediately):
            return left
        self._last_runs[task.name] = self._now()
        self._run(task)
        return self._last_runs[task.name] + spacing - self._now()

    def _run(self, task: Task) -> None:
        context = self._make_context()
        context.update_store()
        try:
            if task.gate(self._host):
                LOG.debug("Periodic task %s", task.name)
                task.run(self._host, context)
        except Exception:
            LOG.exception("Periodic task %s failed; it is tried again in its time", task.name)
