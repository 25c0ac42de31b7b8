"""Work on many instances at once, each in a lane of its own, so that a bad one holds up nobody."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

LOG = logging.getLogger(__name__)


class Lanes:
    """A few threads that work on instances; never two at the same time on the same one."""

    def __init__(self, workers: int) -> None:
        self._workers = max(1, workers)
        self._changed = threading.Condition()
        self._busy: set[str] = set()
        self._pool: ThreadPoolExecutor | None = None

    def start(self, instance_uuid: str, work: Callable[[], object]) -> bool:
        """Do `work` as soon as a thread is free; False when the instance's lane is taken already.

        What `work` raises is logged and ends there.
        """
        with self._changed:
            if instance_uuid in self._busy:
                return False
            self._busy.add(instance_uuid)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="lane")
            pool = self._pool
        try:
            future = pool.submit(_run, instance_uuid, work)
        except BaseException:
            self._leave(instance_uuid)
            raise
        # Also called for work that is dropped at the end.
        future.add_done_callback(lambda done: self._leave(instance_uuid))
        return True

    def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until every lane is empty; False when the time is up before that."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, timeout_seconds)

    def close(self) -> None:
        """Begin nothing more; what runs goes on."""
        with self._changed:
            pool = self._pool
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def __len__(self) -> int:
        """How many instances are being worked on or wait for a thread."""
        with self._changed:
            return len(self._busy)

    def _leave(self, instance_uuid: str) -> None:
        with self._changed:
            self._busy.discard(instance_uuid)
            self._changed.notify_all()


def _run(instance_uuid: str, work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        LOG.exception("The work on instance %s failed", instance_uuid)
