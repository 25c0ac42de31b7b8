"""Who waits for which external event of which instance (contract: states.json, virtapi_facts)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Protocol

from computed import errors

LOG = logging.getLogger(__name__)

EventKey = tuple[str, str | None]
COMPLETED = "completed"


class Event(Protocol):
    """What `deliver` reads of an objects.InstanceExternalEvent."""

    instance_uuid: Any
    name: Any
    tag: Any
    status: Any


class _Waiter:
    """One awaited (name, tag): whether it came and with which status."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.status: str | None = None


class Expectation:
    """Events that one operation has announced to wait for; use as a context manager.

    Announce before starting what causes the event (it may arrive at once), `wait` afterwards; leaving
    the block forgets whatever did not come.
    """

    def __init__(self, registry: ExternalEvents, instance_uuid: str, keys: Iterable[EventKey]) -> None:
        self._registry = registry
        self.instance_uuid = instance_uuid
        self._waiters: dict[EventKey, _Waiter] = {key: _Waiter() for key in keys}

    def __enter__(self) -> Expectation:
        self._registry._add(self.instance_uuid, self._waiters)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._registry._remove(self.instance_uuid, self._waiters)

    def missing(self) -> list[EventKey]:
        """The events that have not come yet."""
        return [key for key, waiter in self._waiters.items() if not waiter.arrived.is_set()]

    def wait(self, timeout_seconds: float) -> None:
        """Return when every event has come with status "completed".

        One deadline holds for all. Raises InstanceEventTimeout at the deadline, ShuttingDown when the
        agent stops meanwhile, NovaException when an event came with another status.
        """
        deadline = time.monotonic() + timeout_seconds
        for (name, tag), waiter in self._waiters.items():
            if not waiter.arrived.wait(max(0.0, deadline - time.monotonic())):
                raise errors.InstanceEventTimeout()
            if waiter.status is None:
                raise errors.ShuttingDown(f"nobody waits for {name} any more: the agent is stopping")
            if waiter.status != COMPLETED:
                raise errors.NovaException(f"Event {name}-{tag} came with status {waiter.status}")


class ExternalEvents:
    """The registry of expectations: operations announce, the event RPC delivers, shutdown cancels."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[str, list[dict[EventKey, _Waiter]]] = {}
        self._closed = False

    def expect(self, instance_uuid: str, events: Iterable[EventKey]) -> Expectation:
        """Announce the (name, tag) pairs that an operation is going to wait for."""
        return Expectation(self, instance_uuid, events)

    def deliver(self, event: Event) -> bool:
        """Wake whoever waits for `event`; False when nobody does."""
        key = (str(event.name), event.tag)
        with self._guard:
            groups = self._waiting.get(event.instance_uuid, [])
            waiters = [group[key] for group in groups if key in group]
        for waiter in waiters:
            waiter.status = str(event.status)
            waiter.arrived.set()
        return bool(waiters)

    def forget(self, instance_uuid: str) -> None:
        """The instance is going away: end every wait for it as failed."""
        with self._guard:
            groups = self._waiting.pop(instance_uuid, [])
        _end(groups, "failed")

    def cancel_all(self) -> None:
        """The agent stops: end every wait and refuse new ones."""
        with self._guard:
            self._closed = True
            groups = [group for groups in self._waiting.values() for group in groups]
            self._waiting.clear()
        _end(groups, None)

    def _add(self, instance_uuid: str, waiters: dict[EventKey, _Waiter]) -> None:
        with self._guard:
            if self._closed:
                raise errors.ShuttingDown("the agent is stopping and waits for no new events")
            self._waiting.setdefault(instance_uuid, []).append(waiters)

    def _remove(self, instance_uuid: str, waiters: dict[EventKey, _Waiter]) -> None:
        with self._guard:
            left = [group for group in self._waiting.get(instance_uuid, []) if group is not waiters]
            if left:
                self._waiting[instance_uuid] = left
            else:
                self._waiting.pop(instance_uuid, None)


def _end(groups: list[dict[EventKey, _Waiter]], status: str | None) -> None:
    for group in groups:
        for waiter in group.values():
            if not waiter.arrived.is_set():
                waiter.status = status
                waiter.arrived.set()
