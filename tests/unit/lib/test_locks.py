"""Locks by key: exclusion per key, independence between keys, nothing left behind."""

import threading

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
