"""Who is still coming when an agent stops."""

from __future__ import annotations

import threading

from computed.steps.arrivals import Arrivals


def test_nobody_is_coming() -> None:
    assert Arrivals().wait_idle(0, lambda uuid: True)


def test_waits_until_it_is_here() -> None:
    arrivals = Arrivals()
    arrivals.expect("i1")
    assert not arrivals.wait_idle(0.01, lambda uuid: True)
    timer = threading.Timer(0.05, arrivals.end, ["i1"])
    timer.start()
    assert arrivals.wait_idle(10, lambda uuid: True)
    timer.join()


def test_one_that_stays_without_a_word_is_not_waited_for() -> None:
    arrivals = Arrivals()
    arrivals.expect("i1")
    arrivals.expect("i2")
    assert not arrivals.wait_idle(0.01, lambda uuid: uuid == "i2")
    arrivals.end("i2")
    assert arrivals.wait_idle(0, lambda uuid: True)
    arrivals.end("i2")
