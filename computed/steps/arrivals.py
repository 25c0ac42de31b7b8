"""The instances that are coming to this host by a move: an agent that stops waits for them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from computed import objects
from computed.context import get_admin_context
from computed.states import RESIZING_STATES, TaskState

LOG = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS: Final = 1.0
_COMING: Final = (TaskState.MIGRATING, *RESIZING_STATES)


class Arrivals:
    """Instances for which this host is ready, until they are here or known to stay where they are."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._expected: set[str] = set()

    def expect(self, instance_uuid: str) -> None:
        """Everything is ready for this instance."""
        with self._changed:
            self._expected.add(instance_uuid)

    def end(self, instance_uuid: str) -> None:
        """It is here, or does not come."""
        with self._changed:
            self._expected.discard(instance_uuid)
            self._changed.notify_all()

    def wait_idle(self, timeout_seconds: float, is_coming: Callable[[str], bool]) -> bool:
        """Wait until none is expected; False when the time is up before that.

        `is_coming` tells whether an instance still comes: not every source says so when it stays.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            with self._changed:
                expected = frozenset(self._expected)
            for uuid in expected:
                if time.monotonic() >= deadline:
                    break
                if not is_coming(uuid):
                    self.end(uuid)
            with self._changed:
                left = deadline - time.monotonic()
                if not self._expected or left <= 0:
                    return not self._expected
                self._changed.wait(min(left, _LOOK_AGAIN_SECONDS))


def is_coming(instance_uuid: str) -> bool:
    """Whether the record of an instance says that it is moved; a record that cannot be read is not waited
    for. One conductor call."""
    try:
        record = objects.Instance.get_by_uuid(get_admin_context(), instance_uuid, expected_attrs=[])
    except Exception as error:
        LOG.info("Instance %s is not waited for: %s", instance_uuid, error)
        return False
    return record.task_state in _COMING
