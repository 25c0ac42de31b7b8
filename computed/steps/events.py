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


class Expectation:
    """Events that one operation waits for; use as a context manager.

    From entering to leaving the block every event of the instance is kept, so announce before starting
    what causes the events (they may come at once), name more of them with `also` once they are known, and
    `wait` at last.
    """

    def __init__(self, registry: ExternalEvents, instance_uuid: str, keys: Iterable[EventKey]) -> None:
        self._registry = registry
        self.instance_uuid = instance_uuid
        self._keys = dict.fromkeys(keys)
        self._arrived: dict[EventKey, str] = {}
        self._ended: str | None = None
        self._change = threading.Condition()

    def __enter__(self) -> Expectation:
        self._registry._add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._registry._remove(self)

    def also(self, keys: Iterable[EventKey]) -> None:
        """Wait for these (name, tag) pairs too; those that have come since the block was entered count."""
        with self._change:
            self._keys.update(dict.fromkeys(keys))

    def missing(self) -> list[EventKey]:
        """The events that have not come yet."""
        with self._change:
            return self._missing()

    def wait(self, timeout_seconds: float) -> None:
        """Return when every event has come with status "completed".

        One deadline holds for all. Raises InstanceEventTimeout at the deadline, ShuttingDown when the
        agent stops or the instance is taken away meanwhile, NovaException when an event came with
        another status.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._change:
            while True:
                self._raise_if_hopeless()
                if not self._missing():
                    return
                left = deadline - time.monotonic()
                if left <= 0:
                    raise errors.InstanceEventTimeout()
                self._change.wait(left)

    def _missing(self) -> list[EventKey]:
        return [key for key in self._keys if key not in self._arrived]

    def _raise_if_hopeless(self) -> None:
        for name, tag in self._keys:
            status = self._arrived.get((name, tag), COMPLETED)
            if status != COMPLETED:
                raise errors.NovaException(f"Event {name}-{tag} came with status {status}")
        if self._ended is not None and self._missing():
            raise errors.ShuttingDown(self._ended)

    def _take(self, key: EventKey, status: str) -> bool:
        with self._change:
            self._arrived[key] = status
            self._change.notify_all()
            return key in self._keys

    def _end(self, why: str) -> None:
        with self._change:
            self._ended = why
            self._change.notify_all()


class ExternalEvents:
    """The registry of expectations: operations announce, the event RPC delivers, shutdown cancels."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[str, list[Expectation]] = {}
        self._closed = False

    def expect(self, instance_uuid: str, events: Iterable[EventKey]) -> Expectation:
        """Announce the (name, tag) pairs that an operation is going to wait for."""
        return Expectation(self, instance_uuid, events)

    def deliver(self, event: Event) -> bool:
        """Hand `event` to whoever waits for it; False when nobody does (yet)."""
        with self._guard:
            waiting = list(self._waiting.get(event.instance_uuid, ()))
        key = (str(event.name), event.tag)
        wanted = [expectation._take(key, str(event.status)) for expectation in waiting]
        return any(wanted)

    def forget(self, instance_uuid: str) -> None:
        """The instance is going away: end every wait for it."""
        with self._guard:
            waiting = self._waiting.pop(instance_uuid, [])
        for expectation in waiting:
            expectation._end("the instance is being taken away")

    def cancel_all(self) -> None:
        """The agent stops: end every wait and refuse new ones."""
        with self._guard:
            self._closed = True
            waiting = [expectation for group in self._waiting.values() for expectation in group]
            self._waiting.clear()
        for expectation in waiting:
            expectation._end("the agent is stopping")

    def _add(self, expectation: Expectation) -> None:
        with self._guard:
            if self._closed:
                raise errors.ShuttingDown("the agent is stopping and waits for no new events")
            self._waiting.setdefault(expectation.instance_uuid, []).append(expectation)

    def _remove(self, expectation: Expectation) -> None:
        with self._guard:
            left = [
                other
                for other in self._waiting.get(expectation.instance_uuid, [])
                if other is not expectation
            ]
            if left:
                self._waiting[expectation.instance_uuid] = left
            else:
                self._waiting.pop(expectation.instance_uuid, None)
