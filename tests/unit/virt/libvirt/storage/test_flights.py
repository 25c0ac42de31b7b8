"""Whoever wants what is being fetched waits for it instead of fetching it again."""

import threading
from contextlib import contextmanager

import pytest

from computed.virt.libvirt.storage.flights import SingleFlight

WAIT = 10


def in_threads(count, function):
    results = [None] * count

    def run(number):
        try:
            results[number] = function()
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


def join(threads):
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()


def slow(calls, gate, result):
    def run():
        calls.append(1)
        assert gate.wait(WAIT)
        if isinstance(result, BaseException):
            raise result
        return result

    return run


def wait_until(condition):
    deadline = threading.Event()
    for _ in range(1000):
        if condition():
            return
        deadline.wait(0.01)
    raise AssertionError("it did not come to pass")


def test_one_run_serves_all_who_wait():
    flights, calls, gate = SingleFlight(), [], threading.Event()
    threads, results = in_threads(8, lambda: flights.do("key", slow(calls, gate, "made")))
    wait_until(lambda: calls)
    assert len(flights) == 1
    gate.set()
    join(threads)
    assert results == ["made"] * 8
    assert len(flights) == 0


def test_all_who_wait_get_the_error_and_the_next_one_tries_again():
    flights, calls, gate = SingleFlight(), [], threading.Event()
    threads, results = in_threads(4, lambda: flights.do("key", slow(calls, gate, OSError("full"))))
    wait_until(lambda: calls)
    gate.set()
    join(threads)
    assert all(isinstance(result, OSError) for result in results)
    assert flights.do("key", lambda: "second") == "second"


def test_other_keys_do_not_wait():
    flights, calls, gate = SingleFlight(), [], threading.Event()
    threads, _ = in_threads(1, lambda: flights.do("slow", slow(calls, gate, 1)))
    wait_until(lambda: calls)
    assert flights.do("quick", lambda: 2) == 2
    gate.set()
    join(threads)


def test_somebody_else_takes_over_from_a_thread_that_is_killed():
    flights, calls, gate = SingleFlight(), [], threading.Event()
    threads, results = in_threads(1, lambda: flights.do("key", slow(calls, gate, SystemExit())))
    wait_until(lambda: calls)
    waiting, made = in_threads(1, lambda: flights.do("key", lambda: "mine"))
    gate.set()
    join(threads + waiting)
    assert isinstance(results[0], SystemExit)
    assert made == ["mine"]


def test_an_error_of_one_only_is_not_everybodys():
    flights, calls, gate = SingleFlight(), [], threading.Event()

    def one(result):
        return flights.do("key", slow(calls, gate, result), not_shared=(PermissionError,))

    leader, refused = in_threads(1, lambda: one(PermissionError("expired")))
    wait_until(lambda: calls)
    idle = []

    @contextmanager
    def while_idle():
        idle.append(1)
        yield

    def wait():
        return flights.do("key", lambda: "made", while_idle=while_idle, not_shared=(PermissionError,))

    waiting, results = in_threads(3, wait)
    wait_until(lambda: len(idle) == 3)
    gate.set()
    join(leader + waiting)
    assert isinstance(refused[0], PermissionError)
    assert results == ["made"] * 3


def test_a_plain_call_returns_and_raises():
    flights = SingleFlight()
    assert flights.do("key", lambda: 5) == 5
    with pytest.raises(KeyError):
        flights.do("key", lambda: {}["x"])


def test_only_those_who_wait_are_idle():
    flights, calls, gate, idle = SingleFlight(), [], threading.Event(), []

    @contextmanager
    def while_idle():
        idle.append("waits")
        yield
        idle.append("goes on")

    def one():
        return flights.do("image", slow(calls, gate, "result"), while_idle=while_idle)

    threads, results = in_threads(3, one)
    wait_until(lambda: idle == ["waits", "waits"])
    gate.set()
    join(threads)
    assert (results, len(calls)) == (["result"] * 3, 1)
    assert idle == ["waits", "waits", "goes on", "goes on"]
