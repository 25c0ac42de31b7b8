"""Who holds how much of one node: an in-memory ledger keyed (instance, migration)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from computed.resources.usage import NOTHING, InstanceState, Load, Tally, Usage

Key = tuple[str, str | None]
"""(instance uuid, None) for an instance that lives here; (instance uuid, migration uuid) for room that is
held for one that is coming, or kept for one that left and may come back."""

Check = Callable[[Usage, Sequence[Any]], Any]
"""Told what is held now (reserved amounts included) and the NUMA topologies in it; answers the NUMA topology
that the newcomer gets, or raises. Runs under the ledger's lock: arithmetic only."""

RELEASE_GRACE_SECONDS = 120.0
"""How long a released key stays released although the records still name this host."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an amount, and for an instance that lives here its state (None for a migration's room)."""

    usage: Usage
    state: InstanceState | None = None
    numa_topology: Any = None
    flavor_id: int | None = None
    volume_backed: bool = False


@dataclass(slots=True)
class _Row:
    entry: Entry
    ticket: Ticket | None = None


@dataclass(eq=False, slots=True)
class Ticket:
    """The right to settle or give back one line that was taken; worthless once another one replaced it."""

    key: Key
    previous: Entry | None
    held: bool = True
    spent: bool = False


@dataclass(eq=False, slots=True)
class Reading:
    """One reading of the records under way: which lines changed here since it began."""

    touched: set[Key] = field(default_factory=set)


class Ledger:
    """The lines of one node, their sums kept up in constant time.

    Thread-safe; every method only computes, so nobody waits for I/O of anybody. What is `held` (taken, not
    yet settled) no reading of the records can remove: the records do not know of it yet.
    """

    def __init__(
        self,
        reserved: Usage = NOTHING,
        *,
        lock: AbstractContextManager[Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock: AbstractContextManager[Any] = threading.Lock() if lock is None else lock
        self._clock = clock
        self._rows: dict[Key, _Row] = {}
        self._held = reserved
        self._tally = Tally()
        self._readings: list[Reading] = []
        self._topologies: dict[Key, Any] = {}
        self._released: dict[str, dict[str | None, float]] = {}

    def take(self, key: Key, entry: Entry, check: Check | None = None) -> tuple[Ticket, Entry]:
        """Enter `entry` under `key` if `check` agrees, atomically; returns the ticket and the final entry.

        A line that is already there is replaced, not doubled, and comes back when the ticket is given back.
        Raises what `check` raises, and then nothing has changed.
        """
        with self._lock:
            row = self._rows.get(key)
            if check is not None:
                used = self._held if row is None else self._held - row.entry.usage
                others = [topology for other, topology in self._topologies.items() if other != key]
                entry = replace(entry, numa_topology=check(used, others))
            previous = None if row is None else row.entry
            if row is not None and row.ticket is not None and row.ticket.held:
                # Two claims for one instance: the newer one counts, and the older one is void.
                previous = row.ticket.previous
            ticket = Ticket(key, previous)
            self._put(key, entry, ticket)
            # What comes here again is no longer on its way out, under whichever key it left.
            self._released.pop(key[0], None)
            return ticket, entry

    def settle(self, ticket: Ticket) -> None:
        """The records know of the line from now on; readings begun later may judge it."""
        with self._lock:
            if ticket.held:
                ticket.held = False
                self._touch(ticket.key)

    def give_back(self, ticket: Ticket) -> bool:
        """Undo a `take`, once, before or after it was settled; False when another claim has the line now."""
        with self._lock:
            row = self._rows.get(ticket.key)
            replaced = row is None or (row.ticket is not None and row.ticket is not ticket)
            spent, ticket.spent, ticket.held = ticket.spent, True, False
            if spent or replaced:
                return False
            if ticket.previous is None:
                self._remove(ticket.key)
            else:
                self._put(ticket.key, ticket.previous, None)
            return True

    def drop(self, instance_uuid: str, migration_uuid: str | None = None) -> bool:
        """Remove one line; False when there is none."""
        with self._lock:
            return self._remove((instance_uuid, migration_uuid))

    def drop_matching(self, instance_uuid: str, *, migrations_only: bool = False) -> int:
        """Remove every line of an instance, or those of its migrations; returns how many there were."""
        with self._lock:
            keys = [
                key
                for key in self._rows
                if key[0] == instance_uuid and not (migrations_only and key[1] is None)
            ]
            for key in keys:
                self._remove(key)
            if not migrations_only:
                # A reading under way may be about to bring in a line that was never here.
                self._remove((instance_uuid, None))
            return len(keys)

    def observe(self, instance_uuid: str, state: InstanceState) -> None:
        """Note the state of an instance that has a line of its own; nothing for any other."""
        with self._lock:
            row = self._rows.get((instance_uuid, None))
            if row is not None and row.entry.state != state:
                self._put((instance_uuid, None), replace(row.entry, state=state), row.ticket)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Announce a reading of the records: what changes here during the block wins over what was read."""
        reading = Reading()
        with self._lock:
            self._readings.append(reading)
        try:
            yield reading
        finally:
            with self._lock:
                self._readings.remove(reading)

    def merge(self, reading: Reading, found: Mapping[Key, Entry]) -> None:
        """Make the ledger what the records said, except where it knows better.

        It knows better about lines that changed since the reading began, that are held by a claim in
        progress, or that were released so lately that their record may not have been saved yet.
        """
        with self._lock:
            self._forget_old_releases(found)
            for key in [key for key in self._rows if key not in found]:
                if key not in reading.touched and not self._is_held(key):
                    self._remove(key, remember=False)
            for key, entry in found.items():
                if key not in reading.touched and key[1] not in self._released.get(key[0], ()):
                    self._judge(key, entry)

    def load(self) -> Load:
        """The sums as they are now, reserved amounts included."""
        with self._lock:
            tally = self._tally
            return Load(self._held, tally.instances, tally.current_workload, tally.stats())

    def entries(self) -> dict[Key, Entry]:
        """Every line, as a copy."""
        with self._lock:
            return {key: row.entry for key, row in self._rows.items()}

    # Below: the lock is held by the caller.

    def _judge(self, key: Key, entry: Entry) -> None:
        row = self._rows.get(key)
        if row is None:
            self._put(key, entry, None)
        elif self._is_held(key):
            # The claim decides about amounts; the record is newer about the state.
            if row.entry.state != entry.state:
                self._put(key, replace(row.entry, state=entry.state), row.ticket)
        elif row.entry != entry:
            self._put(key, entry, None)

    def _is_held(self, key: Key) -> bool:
        ticket = self._rows[key].ticket
        return ticket is not None and ticket.held

    def _put(self, key: Key, entry: Entry, ticket: Ticket | None) -> None:
        row = self._rows.get(key)
        if row is not None:
            self._uncount(key, row.entry)
        self._rows[key] = _Row(entry, ticket)
        self._count(key, entry)
        self._touch(key)

    def _remove(self, key: Key, *, remember: bool = True) -> bool:
        row = self._rows.pop(key, None)
        if remember:
            # Also when there was no line: the record may be read before its change is saved.
            self._released.setdefault(key[0], {})[key[1]] = self._clock()
            self._touch(key)
        if row is None:
            return False
        self._uncount(key, row.entry)
        return True

    def _count(self, key: Key, entry: Entry) -> None:
        self._held += entry.usage
        if entry.state is not None:
            self._tally.add(entry.state)
        if entry.numa_topology is not None:
            self._topologies[key] = entry.numa_topology

    def _uncount(self, key: Key, entry: Entry) -> None:
        self._held -= entry.usage
        if entry.state is not None:
            self._tally.remove(entry.state)
        self._topologies.pop(key, None)

    def _touch(self, key: Key) -> None:
        for reading in self._readings:
            reading.touched.add(key)

    def _forget_old_releases(self, found: Mapping[Key, Entry]) -> None:
        now = self._clock()
        kept: dict[str, dict[str | None, float]] = {}
        for uuid, releases in self._released.items():
            for migration, when in releases.items():
                if (uuid, migration) in found and now - when < RELEASE_GRACE_SECONDS:
                    kept.setdefault(uuid, {})[migration] = when
        self._released = kept
