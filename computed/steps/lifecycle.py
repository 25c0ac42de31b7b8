"""What the hypervisor says of guests unasked: folded into the records, after it has settled."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from computed import errors, objects
from computed.context import get_admin_context
from computed.steps import power_sync
from computed.steps.power import power_state

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost
    from computed.virt.specs import LifecycleEvent

LOG = logging.getLogger(__name__)

STOPPED: Final = "EVENT_LIFECYCLE_STOPPED"
STOPPED_DELAY_SECONDS: Final = 15.0
"""A guest that reboots stops first (contract: virt_driver.json, lifecycle_rules)."""


def listen(host: ComputeHost) -> None:
    """Let the driver tell us of events, unless the operator does not want that."""
    if host.conf.workarounds.handle_virt_lifecycle_events:
        host.driver.on_lifecycle_event(LifecycleEvents(host).tell)
    elif host.conf.sync_power_state_interval < 0:
        LOG.warning(
            "Neither lifecycle events nor the power sync are switched on: what guests do by themselves will "
            "not be noticed (handle_virt_lifecycle_events, sync_power_state_interval)"
        )


class LifecycleEvents:
    """Takes the events of one host.

    A guest that has stopped is looked at after a delay, and not at all when another event of it comes
    meanwhile. A thread exists only while some guest waits for the end of its delay.
    """

    def __init__(self, host: ComputeHost, stopped_delay_seconds: float = STOPPED_DELAY_SECONDS) -> None:
        self._host = host
        self._stopped_delay_seconds = stopped_delay_seconds
        self._guard = threading.Lock()
        self._waiting: dict[str, tuple[float, LifecycleEvent]] = {}
        self._thread: threading.Thread | None = None

    def tell(self, event: LifecycleEvent) -> None:
        """Take note of an event; returns at once."""
        LOG.info("The hypervisor says of instance %s: %s", event.uuid, event.name)
        with self._guard:
            self._waiting.pop(event.uuid, None)
            if event.name == STOPPED:
                due = time.monotonic() + self._stopped_delay_seconds
                self._waiting[event.uuid] = (due, event)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._loop, name="lifecycle", daemon=True)
                    self._thread.start()
                return
        self._look_at(event)

    def _loop(self) -> None:
        while not self._host.stopping.is_set():
            with self._guard:
                if not self._waiting:
                    self._thread = None
                    return
                uuid = min(self._waiting, key=lambda each: self._waiting[each][0])
                due, event = self._waiting[uuid]
                left = due - time.monotonic()
                if left <= 0:
                    del self._waiting[uuid]
            if left > 0:
                self._host.stopping.wait(left)
            else:
                self._look_at(event)

    def _look_at(self, event: LifecycleEvent) -> None:
        # When its lane is taken, whoever is in it reads the guest too.
        self._host.lanes.start(event.uuid, lambda: follow(self._host, event))


def follow(host: ComputeHost, event: LifecycleEvent) -> None:
    """Do what follows from an event, if the guest is still as it says and nobody works on the instance."""
    context = get_admin_context()
    context.update_store()
    with host.locks.try_hold(event.uuid) as is_free:
        if not is_free:
            LOG.debug("Instance %s is being worked on; %s is not followed", event.uuid, event.name)
            return
        try:
            instance = objects.Instance.get_by_uuid(context, event.uuid, expected_attrs=[])
            if power_state(host, instance) == event.power_state:
                power_sync.agree(host, context, instance, event.power_state)
        except (errors.InstanceNotFound, errors.UnexpectedTaskStateError):
            LOG.debug("Instance %s is gone or in other hands", event.uuid)
