"""Sources that die when it is their turn although the record names the destination."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from computed.operations import recover
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.looking import SECOND, audit, guests, states_of, used_mib
from tests.functional.resize.test_restart import (
    die_at,
    die_in,
    is_as_before,
    is_resized,
    lose,
    restart,
)

BEGINS_TO_TAKE_IT_BACK = "computed.operations.resize.revert._begin"


@pytest.fixture
def role(pair: Cloud) -> ConductorRole:
    return ConductorRole(pair)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover, "SECOND_LOOK_SECONDS", 0.2)


def look_again(cloud: Cloud) -> None:
    """Let the second look of an agent that was started go by."""
    time.sleep(0.5)
    cloud.settle()


def sent_and_not_told(cloud: Cloud, role: ConductorRole) -> tuple[str, str, list[Any]]:
    """A resize whose source died when it was to tell the destination; what it would have sent."""
    (uuid,) = cloud.boot(host=HOST)
    lost = lose(cloud, HOST, "finish_resize")
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    cloud.wait(lambda: lost, "the message")
    cloud.settle()
    assert states_of(cloud, uuid) == ("active", "resize_migrated", SECOND, SECOND)
    return uuid, migration, lost


def ordered_back(cloud: Cloud, role: ConductorRole) -> tuple[str, str]:
    """A revert whose source died when it had received the order and not begun."""
    (uuid,) = cloud.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    with pytest.MonkeyPatch.context() as patch:
        died = die_at(patch, BEGINS_TO_TAKE_IT_BACK)
        role.revert(uuid, wait=False)
        cloud.wait(lambda: died, "death")
        cloud.settle()
    assert states_of(cloud, uuid) == ("resized", "resize_reverting", SECOND, SECOND)
    return uuid, migration


def test_source_dies_before_it_tells_the_destination(pair: Cloud, role: ConductorRole) -> None:
    uuid, migration, lost = sent_and_not_told(pair, role)
    restart(pair, HOST)
    role.rest(uuid)
    lost[0]()
    pair.settle()
    is_resized(pair, role, uuid, migration)


def test_source_dies_when_the_destination_has_been_told(pair: Cloud, role: ConductorRole) -> None:
    uuid, migration, lost = sent_and_not_told(pair, role)
    with pair.agents[SECOND].host.locks.hold(uuid):
        lost[0]()
        pair.kill_agent()
        pair.start_agent()
        time.sleep(0.5)
        assert states_of(pair, uuid)[1] == "resize_migrated"
        assert pair.agents[SECOND].parts.manager.inflight.counts() == {"finish_resize": 2}
    role.rest(uuid)
    is_resized(pair, role, uuid, migration)


def test_source_dies_while_the_destination_starts_it(pair: Cloud, role: ConductorRole) -> None:
    driver, starts, may_start = pair.agents[SECOND].host.driver, threading.Event(), threading.Event()
    start = driver.finish_migration

    def wait_and_start(*arguments: Any, **more: Any) -> None:
        starts.set()
        assert may_start.wait(20)
        start(*arguments, **more)

    driver.finish_migration = wait_and_start
    (uuid,) = pair.boot(host=HOST)
    migration = role.resize(uuid, "m1.micro", to=SECOND, wait=False)
    assert starts.wait(10) and states_of(pair, uuid)[1] == "resize_finish"
    pair.kill_agent()
    pair.start_agent()
    time.sleep(0.5)
    may_start.set()
    role.rest(uuid)
    is_resized(pair, role, uuid, migration)


def test_both_die_before_the_destination_is_told(pair: Cloud, role: ConductorRole) -> None:
    uuid, migration, _ = sent_and_not_told(pair, role)
    pair.agents[SECOND].kill()
    pair.kill_agent()
    pair.start_agent()
    pair.agents[SECOND].start()
    look_again(pair)
    is_resized(pair, role, uuid, migration)


def test_server_that_was_sent_is_deleted_meanwhile(pair: Cloud, role: ConductorRole) -> None:
    uuid, migration, _ = sent_and_not_told(pair, role)
    pair.delete(uuid)
    restart(pair, HOST)
    look_again(pair)
    assert role.holds(uuid) == {} and role.holds(migration) == {}
    assert guests(pair, SECOND) == {} and pair.row(uuid)["deleted"]
    audit(pair)
    assert [used_mib(pair, host) for host in (HOST, SECOND)] == [0, 0]


def test_source_dies_with_the_order_to_take_it_back(pair: Cloud, role: ConductorRole) -> None:
    uuid, migration = ordered_back(pair, role)
    restart(pair, HOST)
    role.rest(uuid)
    is_as_before(pair, role, uuid, migration)
    assert guests(pair, HOST) == {uuid: 1} and role.migration(migration).status == "reverted"
    assert pair.faults(uuid) == []


@pytest.mark.parametrize("seconds", [0.0, 0.3, 3.0])
def test_both_die_with_the_order_to_take_it_back(
    pair: Cloud, role: ConductorRole, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """The destination sends the order again when it starts, be that before or after the source's look."""
    monkeypatch.setattr(recover, "SECOND_LOOK_SECONDS", seconds)
    uuid, migration = ordered_back(pair, role)
    pair.agents[SECOND].kill()
    pair.kill_agent()
    pair.start_agent()
    pair.agents[SECOND].start()
    role.rest(uuid)
    time.sleep(seconds)
    pair.settle()
    is_as_before(pair, role, uuid, migration)
    assert guests(pair, HOST) == {uuid: 1} and pair.faults(uuid) == []


def test_an_earlier_way_back_is_over(pair: Cloud, role: ConductorRole) -> None:
    """What was reverted once says nothing of a revert that the destination has not come to yet."""
    (uuid,) = pair.boot(host=HOST)
    role.resize(uuid, "m1.micro", to=SECOND)
    role.revert(uuid)
    migration = role.resize(uuid, "m1.micro", to=SECOND)
    die_in(pair, SECOND, "destroy", "before")
    role.revert(uuid, wait=False)
    pair.settle()
    restart(pair, HOST)
    look_again(pair)
    assert states_of(pair, uuid) == ("resized", "resize_reverting", SECOND, SECOND)
    assert guests(pair, HOST) == {} and guests(pair, SECOND) == {uuid: 1}
    restart(pair, SECOND)
    role.rest(uuid)
    is_as_before(pair, role, uuid, migration)
