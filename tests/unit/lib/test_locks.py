"""Locks by key: exclusion per key, independence between keys, nothing left behind."""

import threading
import time
from collections.abc import Callable

import pytest

from computed.lib.locks import KeyedLocks


def test_same_key_excludes_other_key_does_not():
    locks = KeyedLocks()
    order: list[str] = []
    other_done = threading.Event()

    def same():
        with locks.hold("a"):
            order.append("second")

    def other():
        with locks.hold("b"):
            other_done.set()

    with locks.hold("a"):
        threads = [threading.Thread(target=same), threading.Thread(target=other)]
        for thread in threads:
            thread.start()
        assert other_done.wait(5)
        order.append("first")
    for thread in threads:
        thread.join(5)
    assert order == ["first", "second"]
    assert len(locks) == 0


def test_the_holder_may_take_it_again():
    locks = KeyedLocks()
    with locks.hold("a"), locks.hold("a"):
        assert len(locks) == 1
    assert len(locks) == 0


def test_trying_does_not_wait():
    locks = KeyedLocks()
    seen: list[bool] = []

    def attempt():
        with locks.try_hold("a") as is_held:
            seen.append(is_held)

    with locks.hold("a"):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join(5)
    attempt()
    assert seen == [False, True]
    assert len(locks) == 0


def test_first_come_first_served() -> None:
    locks = KeyedLocks()
    order: list[int] = []
    threads = []

    def take(number: int) -> None:
        with locks.hold("a"):
            order.append(number)

    with locks.hold("a"):
        for number in range(10):
            thread = threading.Thread(target=take, args=(number,))
            thread.start()
            threads.append(thread)
            _wait_until(lambda number=number: len(locks._entries["a"].queue) == number + 1)
    for thread in threads:
        thread.join(5)
    assert order == list(range(10))
    assert len(locks) == 0


def test_a_late_comer_does_not_slip_in() -> None:
    locks = KeyedLocks()
    order: list[str] = []

    def patient() -> None:
        with locks.hold("a"):
            order.append("patient")

    with locks.hold("a"):
        thread = threading.Thread(target=patient)
        thread.start()
        _wait_until(lambda: len(locks._entries["a"].queue) == 1)
    with locks.hold("a"):
        order.append("late")
    thread.join(5)
    assert order == ["patient", "late"]


def test_who_gives_up_waiting_keeps_nobody_else_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    locks = KeyedLocks()
    outcome: list[str] = []

    def interrupted() -> None:
        class Impatient(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("computed.lib.locks.threading.Event", Impatient)
            try:
                with locks.hold("a"):
                    outcome.append("held")
            except KeyboardInterrupt:
                outcome.append("gave up")

    with locks.hold("a"):
        thread = threading.Thread(target=interrupted)
        thread.start()
        thread.join(5)
    with locks.hold("a"):
        outcome.append("free")
    assert outcome == ["gave up", "free"]
    assert len(locks) == 0


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
