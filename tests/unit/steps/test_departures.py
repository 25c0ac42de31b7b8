"""The line of live migrations: order, limits, stops, the end of the agent."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from computed import errors
from computed.steps.departures import Departure, Departures, Phase


class Trips:
    """Departures that last until they are told to end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.go = {f"i{number}": threading.Event() for number in range(5)}
        self.started = {f"i{number}": threading.Event() for number in range(5)}

    def make(self, number: int, *, fails: bool = False) -> Departure:
        name = f"i{number}"

        def run(departure: Departure) -> None:
            self.begun.append(name)
            self.started[name].set()
            assert self.go[name].wait(10)
            if fails:
                raise RuntimeError("as ordered")

        return Departure(name, f"m{number}", number, run, lambda: self.cancelled.append(name))

    def end(self) -> None:
        for event in self.go.values():
            event.set()


@pytest.fixture
def trips() -> Iterator[Trips]:
    trips = Trips()
    yield trips
    trips.end()


def begin(departures: Departures, trips: Trips, number: int, **more: bool) -> Departure:
    departure = trips.make(number, **more)
    assert departures.submit(departure, may_wait=False)
    assert trips.started[f"i{number}"].wait(10)
    return departure


def test_no_more_than_allowed_at_once(trips: Trips) -> None:
    departures = Departures(1)
    begin(departures, trips, 0)
    late, later = trips.make(1), trips.make(2)
    assert not departures.submit(late, may_wait=False)
    assert not departures.knows("m1")
    assert departures.submit(late, may_wait=True) and departures.submit(later, may_wait=True)
    assert (late.phase, len(departures)) == (Phase.WAITING, 3)
    assert not departures.wait_idle(0.05)
    trips.end()
    assert departures.wait_idle(10)
    assert trips.begun == ["i0", "i1", "i2"]
    assert all(departures.knows(f"m{number}") for number in range(3))


def test_no_limit(trips: Trips) -> None:
    departures = Departures(0)
    for number in range(5):
        begin(departures, trips, number)
    assert len(departures) == 5


def test_one_that_fails_makes_room(trips: Trips) -> None:
    departures = Departures(1)
    begin(departures, trips, 0, fails=True)
    departures.submit(trips.make(1), may_wait=True)
    trips.end()
    assert departures.wait_idle(10) and trips.begun == ["i0", "i1"]


def test_two_of_one_instance(trips: Trips) -> None:
    departures = Departures(0)
    begin(departures, trips, 0)
    other = trips.make(0)
    other.migration_uuid = "another"
    with pytest.raises(errors.MigrationError):
        departures.submit(other, may_wait=True)


def test_stopping_in_each_phase(trips: Trips) -> None:
    departures = Departures(2)
    leaving, preparing = begin(departures, trips, 0), begin(departures, trips, 1)
    waiting = trips.make(2)
    departures.submit(waiting, may_wait=True)
    assert departures.begin_leaving(leaving)
    assert departures.stop("i0", 0) is Phase.LEAVING and not departures.is_stopped(leaving)
    assert departures.stop("i1", 1) is Phase.PREPARING and departures.is_stopped(preparing)
    assert not departures.begin_leaving(preparing)
    assert departures.stop("i1", 1) is Phase.STOPPED
    assert departures.stop("i2", 2) is Phase.WAITING and trips.cancelled == ["i2"]
    assert departures.stop("i2", 2) is None and departures.knows("m2")
    assert departures.stop("i0", 99) is None, "another migration of the instance"
    assert departures.stop("unknown", 1) is None


def test_the_agent_stops(trips: Trips) -> None:
    departures = Departures(1)
    begin(departures, trips, 0)
    departures.submit(trips.make(1), may_wait=True)
    departures.close()
    assert trips.cancelled == ["i1"]
    with pytest.raises(errors.ShuttingDown):
        departures.submit(trips.make(2), may_wait=True)
    trips.end()
    assert departures.wait_idle(10) and trips.begun == ["i0"]


def test_a_cancel_that_fails_does_not_keep_the_others(trips: Trips) -> None:
    departures = Departures(1)
    begin(departures, trips, 0)

    def fail() -> None:
        raise RuntimeError("as ordered")

    bad = Departure("bad", "mbad", 9, lambda departure: None, fail)
    departures.submit(bad, may_wait=True)
    departures.submit(trips.make(1), may_wait=True)
    departures.close()
    assert trips.cancelled == ["i1"]


def test_what_was_refused_is_known() -> None:
    departures = Departures(1)
    assert not departures.knows("m1")
    departures.refuse("m1")
    assert departures.knows("m1")
