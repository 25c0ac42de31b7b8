"""The live migrations that leave this host: some run, the others wait in line, and each can be stopped."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from computed import errors

LOG = logging.getLogger(__name__)

_REMEMBERED: Final = 1000
"""How many finished migrations are remembered, so that an order that comes twice is known as such."""


class Phase(Enum):
    """How far a departure is."""

    WAITING = auto()
    PREPARING = auto()
    """The destination makes itself ready; a stop is heeded before the guest leaves."""
    LEAVING = auto()
    """The hypervisor has it; only the hypervisor can stop it."""
    STOPPED = auto()


@dataclass(eq=False)
class Departure:
    """One live migration: what is done when its turn comes, and what when it is taken out of the line."""

    instance_uuid: str
    migration_uuid: str
    migration_id: int
    run: Callable[[Departure], None]
    cancel: Callable[[], None]
    phase: Phase = field(default=Phase.WAITING, init=False)


class Departures:
    """At most `most` live migrations at once (0: any number), first come, first served."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._running: dict[str, Departure] = {}
        self._line: dict[str, Departure] = {}
        self._finished: deque[str] = deque(maxlen=_REMEMBERED)
        self._awaited: set[str] = set()
        self._is_closed = False

    def knows(self, migration_uuid: str) -> bool:
        """Whether this migration is under way, waits, or has ended."""
        with self._changed:
            known = [*self._running.values(), *self._line.values()]
            return migration_uuid in self._finished or any(
                departure.migration_uuid == migration_uuid for departure in known
            )

    def refuse(self, migration_uuid: str, *, may_be_unsent: bool = False) -> None:
        """A migration is over that was never begun here: an order of it that comes later is old.

        Its first order is not old if it `may_be_unsent` yet: who sends it still prepares it.
        """
        with self._changed:
            self._finished.append(migration_uuid)
            if may_be_unsent:
                self._awaited.add(migration_uuid)

    def meet_refused(self, migration_uuid: str) -> bool:
        """Whether this is the first order of a migration that was refused before it was perhaps sent."""
        with self._changed:
            is_first = migration_uuid in self._awaited
            self._awaited.discard(migration_uuid)
            return is_first

    def submit(self, departure: Departure, *, may_wait: bool) -> bool:
        """Run `departure` in a thread of its own, at once or, if it may wait, when its turn comes.

        False when there is no room now and it must not wait. Raises ShuttingDown when the agent stops, and
        MigrationError when another migration of the instance is under way.
        """
        with self._changed:
            if self._is_closed:
                raise errors.ShuttingDown("no live migration begins any more")
            if departure.instance_uuid in self._running or departure.instance_uuid in self._line:
                raise errors.MigrationError(reason="another live migration of the instance is under way")
            if self._most and len(self._running) >= self._most:
                if may_wait:
                    self._line[departure.instance_uuid] = departure
                return may_wait
            self._start(departure)
            return True

    def is_stopped(self, departure: Departure) -> bool:
        """Whether somebody has stopped it while it was preparing."""
        with self._changed:
            return departure.phase is Phase.STOPPED

    def begin_leaving(self, departure: Departure) -> bool:
        """From now on only the hypervisor can stop it; False when it has been stopped before."""
        with self._changed:
            if departure.phase is Phase.STOPPED:
                return False
            departure.phase = Phase.LEAVING
            return True

    def stop(self, instance_uuid: str, migration_id: int) -> Phase | None:
        """Stop a migration and tell in which phase that found it; None when it is not known here.

        WAITING: it has been cancelled when this returns. PREPARING: it will not leave and sees to that
        itself. LEAVING: nothing has been done. Raises what `cancel` raises.
        """
        with self._changed:
            departure = self._line.get(instance_uuid) or self._running.get(instance_uuid)
            if departure is None or departure.migration_id != migration_id:
                return None
        return self._stop(departure)

    def stop_any(self, instance_uuid: str) -> Phase | None:
        """As `stop`, whichever migration of the instance it is."""
        with self._changed:
            departure = self._line.get(instance_uuid) or self._running.get(instance_uuid)
        return None if departure is None else self._stop(departure)

    def _stop(self, departure: Departure) -> Phase:
        with self._changed:
            was = departure.phase
            if was is Phase.PREPARING:
                departure.phase = Phase.STOPPED
            elif was is Phase.WAITING:
                self._take_out(departure)
        if was is Phase.WAITING:
            departure.cancel()
        return was

    def close(self) -> None:
        """The agent stops: begin nothing more, and cancel what waits; what runs goes on."""
        with self._changed:
            self._is_closed = True
            waiting = list(self._line.values())
            for departure in waiting:
                self._take_out(departure)
        for departure in waiting:
            try:
                departure.cancel()
            except Exception:
                LOG.exception(
                    "Live migration %s of instance %s, which waited for its turn, was not cancelled",
                    departure.migration_uuid,
                    departure.instance_uuid,
                )

    def wait_for(self, instance_uuid: str, timeout_seconds: float) -> bool:
        """Wait until no migration of the instance runs; False when the time is up before that."""
        with self._changed:
            return self._changed.wait_for(lambda: instance_uuid not in self._running, timeout_seconds)

    def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until none runs or waits; False when the time is up before that."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._running or self._line), timeout_seconds)

    def __len__(self) -> int:
        """How many run or wait."""
        with self._changed:
            return len(self._running) + len(self._line)

    # Below: the lock is held by the caller.

    def _take_out(self, departure: Departure) -> None:
        departure.phase = Phase.STOPPED
        del self._line[departure.instance_uuid]
        self._finished.append(departure.migration_uuid)
        self._changed.notify_all()

    def _start(self, departure: Departure) -> None:
        departure.phase = Phase.PREPARING
        self._running[departure.instance_uuid] = departure
        thread = threading.Thread(
            target=self._run, args=(departure,), name=f"departure-{departure.instance_uuid}", daemon=True
        )
        try:
            thread.start()
        except BaseException:
            del self._running[departure.instance_uuid]
            raise

    def _run(self, departure: Departure) -> None:
        try:
            departure.run(departure)
        except Exception:
            LOG.exception("The live migration of instance %s failed", departure.instance_uuid)
        finally:
            with self._changed:
                del self._running[departure.instance_uuid]
                self._finished.append(departure.migration_uuid)
                while self._line and (not self._most or len(self._running) < self._most):
                    uuid = next(iter(self._line))
                    self._start(self._line.pop(uuid))
                self._changed.notify_all()
