"""Counting what has been received and is not finished."""

import threading

import pytest

from computed.rpc.inflight import InFlight


def test_counts_by_method() -> None:
    inflight = InFlight()
    inflight.begin("stop")
    inflight.begin("stop")
    inflight.begin("start")
    inflight.end("stop")
    assert inflight.counts() == {"stop": 1, "start": 1}


def test_idle_at_once_when_nothing_is_there() -> None:
    assert InFlight().wait_idle(0)


def test_waiting_is_bounded() -> None:
    inflight = InFlight()
    inflight.begin("stop")
    assert not inflight.wait_idle(0.01)


def test_waiting_ends_with_the_last() -> None:
    inflight = InFlight()
    for _ in range(3):
        inflight.begin("stop")
    timers = [threading.Timer(0.01 * n, inflight.end, ["stop"]) for n in range(1, 4)]
    for timer in timers:
        timer.start()
    assert inflight.wait_idle(5)


def test_a_failure_ends_what_was_tracked() -> None:
    inflight = InFlight()
    with pytest.raises(ValueError), inflight.track("stop"):
        raise ValueError
    assert inflight.wait_idle(0)


def test_instances_are_counted_one_by_one() -> None:
    inflight = InFlight()
    inflight.begin("stop", "a")
    inflight.begin("start", "a")
    inflight.begin("start")
    inflight.end("stop", "a")
    assert (inflight.concerns("a"), inflight.concerns("b")) == (True, False)
    inflight.end("start", "a")
    assert not inflight.concerns("a")
    assert inflight.counts() == {"start": 1}
