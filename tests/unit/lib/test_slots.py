"""Slots that are held, and lent while their holder waits."""

import threading

import pytest

from computed.lib.slots import Slots

WAIT = 10


def takes(slots):
    """Begin to take a slot elsewhere; set when it has one."""
    taken = threading.Event()

    def run():
        with slots:
            taken.set()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, taken


def test_a_slot_is_held_until_it_is_left():
    slots = Slots(1)
    with slots:
        thread, taken = takes(slots)
        assert not taken.wait(0.1)
    assert taken.wait(WAIT)
    thread.join(WAIT)


@pytest.mark.parametrize("fails", [False, True])
def test_a_lent_slot_is_somebody_elses_meanwhile_and_comes_back(fails):
    slots = Slots(1)
    with slots:
        try:
            with slots.lent():
                thread, taken = takes(slots)
                assert taken.wait(WAIT)
                if fails:
                    raise KeyError
        except KeyError:
            pass
        thread.join(WAIT)
        other, taken = takes(slots)
        assert not taken.wait(0.1)
    assert taken.wait(WAIT)
    other.join(WAIT)


def test_without_a_limit_nobody_waits():
    slots = Slots(0)
    with slots, slots.lent(), slots:
        thread, taken = takes(slots)
        assert taken.wait(WAIT)
    thread.join(WAIT)
