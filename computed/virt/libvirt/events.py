"""What libvirt says unasked: lifecycle events, and devices and block jobs for who waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Final

import libvirt
from oslo_log import log as logging

from computed import errors
from computed.states import PowerState
from computed.virt.libvirt.connection import Connection
from computed.virt.specs import LifecycleEvent

LOG = logging.getLogger(__name__)

STOPPED_EVENT_DELAY_SECONDS: Final = 15.0
"""A reboot is a stop and a start (contract: virt_driver.json, lifecycle_rules)."""

_STATES: Final[Mapping[str, PowerState]] = {
    "STARTED": PowerState.RUNNING,
    "STOPPED": PowerState.SHUTDOWN,
    "PAUSED": PowerState.PAUSED,
    "RESUMED": PowerState.RUNNING,
    "POSTCOPY_STARTED": PowerState.PAUSED,
    "MIGRATION_COMPLETED": PowerState.PAUSED,
}
_NAMES: Final[Mapping[int, str]] = {
    libvirt.VIR_DOMAIN_EVENT_STARTED: "STARTED",
    libvirt.VIR_DOMAIN_EVENT_STOPPED: "STOPPED",
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: "PAUSED",
    libvirt.VIR_DOMAIN_EVENT_RESUMED: "RESUMED",
}
_MIGRATED: Final = "MIGRATED"


class Removal(IntEnum):
    """What became of a device that the guest was asked to give back."""

    REMOVED = 0
    REFUSED = 1


class JobEnd(IntEnum):
    """What became of a block job, in libvirt's numbers; READY is a copy that has caught up, not an end."""

    COMPLETED = 0
    FAILED = 1
    CANCELED = 2
    READY = 3


class Waiting:
    """Somebody's wait for one thing; made by `Events.device_removal` and `Events.block_job`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heard: list[int] = []
        self._is_cut = False

    def result(self, timeout_seconds: float) -> int | None:
        """The next thing heard (Removal, JobEnd); None when nothing was heard in time, or libvirt was lost
        meanwhile and may have said it to nobody: then look."""
        with self._changed:
            self._changed.wait_for(lambda: self._heard or self._is_cut, timeout_seconds)
            return self._heard.pop(0) if self._heard else None

    def tell(self, outcome: int) -> None:
        """It has happened."""
        with self._changed:
            self._heard.append(outcome)
            self._changed.notify_all()

    def cut(self) -> None:
        """Events may have been missed."""
        with self._changed:
            self._is_cut = True
            self._changed.notify_all()


class Events:
    """Registers for the events of every connection that `connection` makes, and hands them out in a thread
    of our own kind, one after the other and in the order in which they came."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lifecycle: Callable[[LifecycleEvent], None] | None = None
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, list[Waiting]] = {}
        connection.each_time(self._register)

    def on_lifecycle(self, callback: Callable[[LifecycleEvent], None] | None) -> None:
        """Who is told of lifecycle events, and must return soon; None: nobody."""
        self._lifecycle = callback

    @contextmanager
    def device_removal(self, uuid: str, alias: str) -> Iterator[Waiting]:
        """Wait for the end of a device of a guest, by its alias; enter it before the guest is asked.

        `with events.device_removal(uuid, "net0") as waiting: guest.detach(...); waiting.result(20)`
        """
        with self._listening(("device", uuid, alias)) as waiting:
            yield waiting

    @contextmanager
    def block_job(self, uuid: str, disk: str) -> Iterator[Waiting]:
        """The same for a block job on a disk, by the guest's name of it (`vda`)."""
        with self._listening(("block", uuid, disk)) as waiting:
            yield waiting

    @contextmanager
    def _listening(self, key: Hashable) -> Iterator[Waiting]:
        waiting = Waiting()
        with self._lock:
            self._waiting.setdefault(key, []).append(waiting)
        try:
            yield waiting
        finally:
            with self._lock:
                self._waiting[key].remove(waiting)
                if not self._waiting[key]:
                    del self._waiting[key]

    # In a thread of the interpreter: no logging, no locks, nothing but letters.

    def _register(self, raw: Any) -> None:
        for kind, callback in (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._heard_lifecycle),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, self._heard_removed),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, self._heard_refused),
            (libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, self._heard_job),
        ):
            raw.domainEventRegisterAny(None, kind, callback, None)
        self._connection.post(self._cut)

    def _heard_lifecycle(self, raw: Any, domain: Any, event: int, detail: int, opaque: Any) -> None:
        name = _NAMES.get(event)
        if event == libvirt.VIR_DOMAIN_EVENT_SUSPENDED:
            if detail == libvirt.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY:
                name = "POSTCOPY_STARTED"
            elif detail == libvirt.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED:
                name = _MIGRATED
        if name is not None:
            uuid, now = domain.UUIDString(), time.time()
            self._connection.post(lambda: self._tell_lifecycle(uuid, name, now))

    def _heard_removed(self, raw: Any, domain: Any, alias: str, opaque: Any) -> None:
        self._post(("device", domain.UUIDString(), alias), Removal.REMOVED)

    def _heard_refused(self, raw: Any, domain: Any, alias: str, opaque: Any) -> None:
        self._post(("device", domain.UUIDString(), alias), Removal.REFUSED)

    def _heard_job(self, raw: Any, domain: Any, disk: str, kind: int, status: int, opaque: Any) -> None:
        self._post(("block", domain.UUIDString(), disk), status)

    def _post(self, key: Hashable, outcome: int) -> None:
        self._connection.post(lambda: self._tell_waiting(key, outcome))

    # In the connection's own thread.

    def _tell_waiting(self, key: Hashable, outcome: int) -> None:
        with self._lock:
            waiting = list(self._waiting.get(key, ()))
        for each in waiting:
            each.tell(outcome)

    def _cut(self) -> None:
        with self._lock:
            waiting = [each for several in self._waiting.values() for each in several]
        for each in waiting:
            each.cut()

    def _tell_lifecycle(self, uuid: str, name: str, timestamp: float) -> None:
        callback = self._lifecycle
        if callback is None:
            return
        if name == _MIGRATED:
            # libvirt says the same when a guest has failed to leave.
            name = "MIGRATION_COMPLETED" if self._has_left(uuid) else "PAUSED"
        callback(LifecycleEvent(uuid, f"EVENT_LIFECYCLE_{name}", _STATES[name], timestamp))

    def _has_left(self, uuid: str) -> bool:
        """Whether the migration of a guest is finished."""
        try:
            guest = self._connection.guest(uuid)
            kind = guest.call("jobStats", 0).get("type", libvirt.VIR_DOMAIN_JOB_NONE)
            if kind == libvirt.VIR_DOMAIN_JOB_NONE:
                return not guest.is_active()
            return bool(kind == libvirt.VIR_DOMAIN_JOB_COMPLETED)
        except errors.InstanceNotFound:
            return True
        except errors.LibvirtFailed as error:
            LOG.debug("Guest %s: its migration cannot be looked at: %s", uuid, error)
            return False
