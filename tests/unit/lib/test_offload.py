"""Blocking calls and loops: others go on meanwhile, whichever kind of threads the process has."""

from __future__ import annotations

import ctypes
import threading
import time

import pytest

from computed.lib.mailbox import Mailbox
from computed.lib.offload import offload, start_native_thread

# C code that knows nothing of green threads, and so would stop all of them.
usleep = ctypes.CDLL(None).usleep


def test_others_go_on_while_a_call_blocks() -> None:
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.01):
            ticks.append(time.monotonic())

    clock = threading.Thread(target=tick)
    clock.start()
    offload(usleep, 400_000)
    done.set()
    clock.join()
    assert len(ticks) >= 5


def test_results_and_errors_come_back() -> None:
    assert offload(int, "12", base=8) == 10
    with pytest.raises(ZeroDivisionError):
        offload(lambda: 1 // 0)


def test_letters_arrive_in_order_from_a_native_thread() -> None:
    box: Mailbox[int] = Mailbox()

    def send() -> None:
        for number in range(20_000):
            box.post(number)
        usleep(50_000)
        box.post(-1)
        box.close()

    start_native_thread(send, "sender")
    found = []
    while (letter := box.take()) is not None:
        found.append(letter)
    assert found == [*range(20_000), -1]


def test_a_closed_box_is_empty() -> None:
    box: Mailbox[str] = Mailbox()
    box.post("last")
    box.close()
    assert (box.take(), box.take()) == ("last", None)
