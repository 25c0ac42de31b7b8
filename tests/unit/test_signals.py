"""Signals reach the thread that waits for them, whatever the threads are made of."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from computed.cmd.signals import Signals, Told

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    wakeup = signal.set_wakeup_fd(-1)
    yield Signals()
    signal.set_wakeup_fd(wakeup)
    for number, handler in before.items():
        signal.signal(number, handler)


def _later(*numbers: signal.Signals) -> None:
    def send() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    threading.Timer(0.1, send).start()


@pytest.mark.parametrize(
    ("number", "told"),
    [(signal.SIGTERM, Told.STOP), (signal.SIGINT, Told.STOP), (signal.SIGHUP, Told.RELOAD)],
)
def test_a_signal_ends_the_waiting(signals: Signals, number: signal.Signals, told: Told) -> None:
    signals.serve()
    _later(number)
    assert signals.wait() is told


def test_a_signal_between_two_waits_is_kept(signals: Signals) -> None:
    signals.serve()
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    assert [signals.wait(), signals.wait()] == [Told.RELOAD, Told.STOP]


def test_somebody_elses_signal_is_not_for_us(signals: Signals) -> None:
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signals.serve()
    _later(signal.SIGUSR1, signal.SIGTERM)
    assert signals.wait() is Told.STOP


def test_before_serving_a_signal_to_stop_ends_the_process(signals: Signals) -> None:
    with pytest.raises(SystemExit) as ended:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(5)
    assert ended.value.code == 0
