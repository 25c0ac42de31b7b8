"""What the hypervisor says of guests unasked: folded into the records, after it has settled."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.context import get_admin_context
from computed.states import MigrationStatus, TaskState
from computed.steps import power_sync
from computed.steps.power import power_state

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost
    from computed.virt.specs import LifecycleEvent

LOG = logging.getLogger(__name__)

STOPPED: Final = "EVENT_LIFECYCLE_STOPPED"

_MIGRATION_STATUSES: Final[Mapping[str, str]] = {
    "EVENT_LIFECYCLE_POSTCOPY_STARTED": str(MigrationStatus.RUNNING_POST_COPY),
    "EVENT_LIFECYCLE_MIGRATION_COMPLETED": str(MigrationStatus.RUNNING),
}
"""Events of a guest that leaves, and the status that its migration has then (contract: virt_driver.json,
lifecycle_rules)."""

_PAUSE_SECONDS: Final = 0.5
_MOST_LOOKS: Final = 20
"""How often, and after what time, a guest is looked at again that somebody was at work on. The power sync
comes after that."""


def listen(host: ComputeHost) -> None:
    """Let the driver tell us of events, unless the operator does not want that."""
    if host.conf.workarounds.handle_virt_lifecycle_events:
        delay_seconds = host.driver.stopped_event_delay_seconds
        host.driver.on_lifecycle_event(LifecycleEvents(host, delay_seconds).tell)
    elif host.conf.sync_power_state_interval < 0:
        LOG.warning(
            "Neither lifecycle events nor the power sync are switched on: what guests do by themselves will "
            "not be noticed (handle_virt_lifecycle_events, sync_power_state_interval)"
        )


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event whose guest is looked at later: when, and how often somebody was at work on it before."""

    event: LifecycleEvent
    due: float
    looks: int = 0


class LifecycleEvents:
    """Takes the events of one host.

    A guest that has stopped is looked at after a delay, and not at all when another event of it comes
    meanwhile. A thread exists only while some guest waits to be looked at.
    """

    def __init__(self, host: ComputeHost, stopped_delay_seconds: float) -> None:
        self._host = host
        self._stopped_delay_seconds = stopped_delay_seconds
        self._changed = threading.Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._thread: threading.Thread | None = None

    def tell(self, event: LifecycleEvent) -> None:
        """Take note of an event; returns at once."""
        LOG.info("The hypervisor says of instance %s: %s", event.uuid, event.name)
        with self._changed:
            self._waiting.pop(event.uuid, None)
            if event.name == STOPPED and self._stopped_delay_seconds:
                self._wait(_Waiting(event, time.monotonic() + self._stopped_delay_seconds))
                return
        self._look_at(event)

    def _wait(self, waiting: _Waiting) -> None:
        """Call this while holding the condition."""
        self._waiting[waiting.event.uuid] = waiting
        self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="lifecycle", daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while True:
            with self._changed:
                if not self._waiting or self._host.stopping.is_set():
                    self._thread = None
                    return
                first = min(self._waiting.values(), key=lambda each: each.due)
                left = first.due - time.monotonic()
                if left > 0:
                    # A stop of the agent does not wake us.
                    self._changed.wait(min(left, 1.0))
                    continue
                del self._waiting[first.event.uuid]
            self._look_at(first.event, first.looks)

    def _look_at(self, event: LifecycleEvent, looks: int = 0) -> None:
        if not self._host.lanes.start(event.uuid, lambda: self._follow(event, looks)):
            self._look_again(event, looks)

    def _follow(self, event: LifecycleEvent, looks: int) -> None:
        if not follow(self._host, event):
            self._look_again(event, looks)

    def _look_again(self, event: LifecycleEvent, looks: int) -> None:
        """Whoever is at work on the instance may have read its guest before the event."""
        if looks >= _MOST_LOOKS:
            LOG.info("Instance %s is worked on for long; the power sync will see to it", event.uuid)
            return
        with self._changed:
            if event.uuid not in self._waiting:
                self._wait(_Waiting(event, time.monotonic() + _PAUSE_SECONDS, looks + 1))


def follow(host: ComputeHost, event: LifecycleEvent) -> bool:
    """Do what follows from an event, if the guest is still as it says; False when somebody else is at work
    on the instance."""
    context = get_admin_context()
    context.update_store()
    with host.locks.try_hold(event.uuid) as is_free:
        if not is_free:
            LOG.debug("Instance %s is being worked on; %s must wait", event.uuid, event.name)
            return False
        try:
            attrs = ["info_cache"] if event.name in _MIGRATION_STATUSES else []
            instance = objects.Instance.get_by_uuid(context, event.uuid, expected_attrs=attrs)
            if power_state(host, instance) == event.power_state:
                power_sync.agree(host, context, instance, event.power_state)
            if instance.task_state == TaskState.MIGRATING and event.name in _MIGRATION_STATUSES:
                _bind_at_destination(host, context, instance, _MIGRATION_STATUSES[event.name])
        except (errors.InstanceNotFound, errors.UnexpectedTaskStateError):
            LOG.debug("Instance %s is gone or in other hands", event.uuid)
        except errors.HypervisorUnavailable as error:
            LOG.warning("Instance %s: %s is not followed: %s", event.uuid, event.name, error)
    return True


def _bind_at_destination(host: ComputeHost, context: Any, instance: Any, status: str) -> None:
    """Switch the ports now: the guest goes on elsewhere at any moment and shall not be long without network.

    What fails here is done after the migration.
    """
    try:
        migration = objects.Migration.get_by_instance_and_status(context, instance.uuid, status)
        host.network.activate_bindings(context, instance, host=migration.dest_compute)
    except errors.MigrationNotFoundByStatus:
        LOG.warning(
            "Instance %s leaves, but has no migration in status %r; its ports are switched afterwards",
            instance.uuid,
            status,
        )
    except Exception as error:
        LOG.warning("Instance %s: its ports are not switched yet: %s", instance.uuid, error)
