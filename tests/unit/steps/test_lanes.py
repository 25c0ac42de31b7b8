"""Lanes: instances side by side, one at a time for each, and a bad one harms nobody."""

import threading

from computed.steps.lanes import Lanes

WAIT_SECONDS = 10


def test_instances_run_side_by_side():
    lanes = Lanes(2)
    meet = threading.Barrier(2, timeout=WAIT_SECONDS)
    assert lanes.start("a", meet.wait)
    assert lanes.start("b", meet.wait)
    assert lanes.wait_idle(WAIT_SECONDS)
    assert not meet.broken


def test_one_instance_has_one_lane():
    lanes = Lanes(2)
    go_on = threading.Event()
    assert lanes.start("a", lambda: go_on.wait(WAIT_SECONDS))
    assert not lanes.start("a", lambda: None)
    assert not lanes.wait_idle(0.05)
    go_on.set()
    assert lanes.wait_idle(WAIT_SECONDS)
    assert lanes.start("a", lambda: None)
    assert lanes.wait_idle(WAIT_SECONDS)


def test_a_failure_ends_in_its_lane(caplog):
    lanes = Lanes(1)
    done: list[str] = []

    def fail() -> None:
        raise ValueError("bad instance")

    lanes.start("bad", fail)
    lanes.start("good", lambda: done.append("good"))
    assert lanes.wait_idle(WAIT_SECONDS)
    assert done == ["good"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "bad" in caplog.text


def test_what_has_not_begun_is_dropped_at_the_end():
    lanes = Lanes(1)
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def work() -> None:
        begun.set()
        go_on.wait(WAIT_SECONDS)

    lanes.start("a", work)
    assert begun.wait(WAIT_SECONDS)
    lanes.start("b", lambda: done.append("b"))
    lanes.close()
    go_on.set()
    assert lanes.wait_idle(WAIT_SECONDS)
    assert done == []
