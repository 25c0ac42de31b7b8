"""Orders that wait in the message bus, or in the agent, when it starts: obeyed, not given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from computed.embedded.store import utc_now
from computed.operations import recover
from computed.operations.recover import second_look
from computed.rpc import server
from tests.functional.cloud import PATIENCE_SECONDS, Cloud
from tests.functional.images.owner import Owner
from tests.functional.rebuild.role import RebuildRole

GRACE_SECONDS = 0.3
SECOND = "second"
Send = Callable[[], str]
"""Sends an order to the second host; returns the server that it is about."""


class Looks:
    """The questions whether all has been received, and their answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[bool] = []
        plain = server.RpcServers.has_caught_up

        def has_caught_up(servers: server.RpcServers) -> bool:
            self.answers.append(plain(servers))
            return self.answers[-1]

        monkeypatch.setattr(server.RpcServers, "has_caught_up", has_caught_up)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """What is asked; everything that a start waits for is short."""
    monkeypatch.setattr(second_look, "GRACE_SECONDS", GRACE_SECONDS)
    monkeypatch.setattr(server, "_MARK_SECONDS", GRACE_SECONDS)
    return Looks(monkeypatch)


class Gate:
    """A verb of the fake driver that goes on when the gate opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, driver: type, verb: str) -> None:
        self.is_reached, self._is_open = threading.Event(), threading.Event()
        plain = getattr(driver, verb)

        def wait(*arguments: Any, **more: Any) -> Any:
            self.is_reached.set()
            assert self._is_open.wait(PATIENCE_SECONDS)
            return plain(*arguments, **more)

        monkeypatch.setattr(driver, verb, wait)

    def open(self) -> None:
        self._is_open.set()


@pytest.fixture
def gate(pair: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Gate]]:
    """Makes gates; all are open at the end."""
    gates: list[Gate] = []

    def make(verb: str) -> Gate:
        gates.append(Gate(monkeypatch, type(pair.host.driver), verb))
        return gates[-1]

    yield make
    for each in gates:
        each.open()


def beat(cloud: Cloud) -> None:
    """Let the heart of the second host beat once more, though it takes no orders."""
    with cloud.embedded.store.transaction() as records:
        row = records.first("Service", host=SECOND)
        records.update("Service", row, {"last_seen_up": utc_now()})


def building(cloud: Cloud) -> Send:
    def send() -> str:
        (uuid,) = cloud.boot(host=SECOND, wait=False)
        return uuid

    return send


def unshelving(cloud: Cloud) -> Send:
    owner = Owner(cloud)
    (uuid,) = cloud.boot(host="alone")
    owner.shelve(uuid)

    def send() -> str:
        context, order = owner.unshelving(uuid, SECOND)
        cloud.rpc.cast("unshelve_instance", context=context, **order)
        return uuid

    return send


def evacuating(cloud: Cloud) -> Send:
    role = RebuildRole(cloud)
    (uuid,) = cloud.boot(host="alone")

    def send() -> str:
        role.evacuate(uuid, wait=False)
        return uuid

    return send


VERBS = [building, unshelving, evacuating]


def runs(cloud: Cloud, uuid: str) -> None:
    cloud.wait_for(uuid, vm_state="active", task_state=None)
    cloud.settle()
    row = cloud.row(uuid)
    assert (row["vm_state"], row["task_state"], row["host"]) == ("active", None, SECOND)
    assert cloud.faults(uuid) == []
    assert SECOND in Owner(cloud).plane.holds(uuid)


@pytest.mark.parametrize("verb", VERBS)
def test_an_order_that_came_while_the_host_was_drained(
    pair: Cloud, looks: Looks, verb: Callable[[Cloud], Send]
) -> None:
    send, second = verb(pair), pair.agents[SECOND]
    second.stop()
    beat(pair)
    uuid = send()
    beat(pair)
    second.start()
    pair.wait(lambda: True in looks.answers, "the second look")
    runs(pair, uuid)


@pytest.mark.parametrize("verb", VERBS)
def test_an_order_that_waits_for_a_slow_start(
    pair: Cloud,
    looks: Looks,
    gate: Callable[[str], Gate],
    monkeypatch: pytest.MonkeyPatch,
    verb: Callable[[Cloud], Send],
) -> None:
    monkeypatch.setattr(recover, "PATIENCE_SECONDS", 3 * GRACE_SECONDS)
    send, second = verb(pair), pair.agents[SECOND]
    (slow,) = pair.boot(host=SECOND)
    second.stop()
    beat(pair)
    pair.set_fields(slow, task_state="powering-off")
    uuid = send()
    stop = gate("power_off")
    second.start()
    stop.open()
    pair.wait(lambda: True in looks.answers, "the second look")
    runs(pair, uuid)


def test_an_order_that_waits_for_a_thread(pair: Cloud, looks: Looks, gate: Callable[[str], Gate]) -> None:
    owner, second = Owner(pair), pair.agents[SECOND]
    (uuid,) = pair.boot(host="alone")
    (busy,) = pair.boot(host=SECOND)
    owner.shelve(uuid)
    second.stop()
    second.conf.set_override("executor_thread_pool_size", 1)
    context, order = owner.unshelving(uuid, SECOND)
    second.start()
    pause = gate("pause")
    pausing = owner.begin(busy, "pause", task_state="pausing")
    pair.rpc.cast("pause_instance", context=pausing, server=SECOND, instance=pair.instance(busy))
    pair.rpc.cast("unshelve_instance", context=context, **order)
    pair.wait(lambda: looks.answers, "the second look")
    assert looks.answers == [True]
    time.sleep(3 * GRACE_SECONDS)
    assert pair.row(uuid)["task_state"] == "unshelving"
    pause.open()
    runs(pair, uuid)
    # What has been received is known once for all.
    assert looks.answers == [True]


def test_a_build_that_waits_for_its_turn(pair: Cloud, looks: Looks, gate: Callable[[str], Gate]) -> None:
    second = pair.agents[SECOND]
    second.stop()
    second.conf.set_override("max_concurrent_builds", 1)
    beat(pair)
    uuids = pair.boot(2, host=SECOND, wait=False)
    spawn = gate("spawn")
    second.start()
    pair.wait(lambda: looks.answers, "the second look")
    time.sleep(3 * GRACE_SECONDS)
    spawn.open()
    for uuid in uuids:
        runs(pair, uuid)


def test_nothing_is_given_up_before_the_bus_has_said_so(
    pair: Cloud, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, second = unshelving(pair), pair.agents[SECOND]
    second.stop()
    with monkeypatch.context() as patch:
        deliver = pair.bus.deliver
        # The order is lost, and for a time whatever else is sent to that host.
        patch.setattr(pair.bus, "deliver", lambda to, *more: to[1] == SECOND or deliver(to, *more))
        uuid = send()
        second.start()
        pair.wait(lambda: len(looks.answers) == 2, "two looks")
        assert pair.row(uuid)["task_state"] == "unshelving"
    pair.wait_for(uuid, task_state=None)
    assert set(looks.answers[:-1]) == {False} and looks.answers[-1]
    assert pair.row(uuid)["vm_state"] == "shelved_offloaded"
    pair.settle()
    assert Owner(pair).plane.holds(uuid) == {}


def test_a_host_with_nothing_to_decide_asks_nothing(pair: Cloud, looks: Looks) -> None:
    pair.boot(host=SECOND)
    pair.agents[SECOND].stop()
    pair.agents[SECOND].start()
    time.sleep(3 * GRACE_SECONDS)
    assert looks.answers == []
