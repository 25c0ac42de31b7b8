"""Events of guests, folded into the records."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from computed.states import PowerState
from computed.steps import lifecycle
from tests.functional.clock.world import WAIT_SECONDS, World, eventually

ON, OFF = PowerState.RUNNING, PowerState.SHUTDOWN
DELAY_SECONDS = 0.3


@pytest.fixture
def listening(world: World) -> Iterator[World]:
    """A host that waits for a moment only before it believes that a guest has stopped."""
    events = lifecycle.LifecycleEvents(world.host, stopped_delay_seconds=DELAY_SECONDS)
    world.host.driver.on_lifecycle_event(events.tell)
    yield world
    world.host.driver.on_lifecycle_event(None)


def test_guest_that_stops_is_stopped_after_the_delay(listening: World) -> None:
    instance = listening.add()
    listening.host.driver.change_by_itself(instance.uuid, OFF)
    assert listening.states(instance) == ("active", None, ON)
    assert eventually(lambda: listening.states(instance) == ("stopped", None, OFF))
    assert listening.actions(instance) == ["stop"]


def test_guest_that_starts_again_at_once_is_left_running(listening: World) -> None:
    instance = listening.add()
    listening.host.driver.change_by_itself(instance.uuid, OFF)
    listening.host.driver.change_by_itself(instance.uuid, ON)
    threading.Event().wait(2 * DELAY_SECONDS)
    assert listening.host.lanes.wait_idle(WAIT_SECONDS)
    assert (listening.states(instance), listening.guest(instance)) == (("active", None, ON), ON)
    assert listening.actions(instance) == []


def test_event_that_is_no_longer_true_is_not_followed(listening: World) -> None:
    instance = listening.add("stopped", guest=OFF)
    listening.host.driver.change_by_itself(instance.uuid, OFF)
    listening.set_guest(instance.uuid, ON)
    threading.Event().wait(2 * DELAY_SECONDS)
    assert listening.host.lanes.wait_idle(WAIT_SECONDS)
    assert listening.guest(instance) == ON


def test_stop_by_the_owner_is_no_surprise(listening: World) -> None:
    instance = listening.add("active", "powering-off")
    with listening.host.locks.hold(instance.uuid):
        listening.host.driver.change_by_itself(instance.uuid, OFF)
        threading.Event().wait(2 * DELAY_SECONDS)
    assert listening.host.lanes.wait_idle(WAIT_SECONDS)
    assert listening.states(instance) == ("active", "powering-off", ON)


def test_several_guests_are_followed(listening: World) -> None:
    instances = [listening.add() for _ in range(8)]
    for instance in instances:
        listening.host.driver.change_by_itself(instance.uuid, OFF)
    assert eventually(lambda: all(listening.states(each)[0] == "stopped" for each in instances))


def test_guest_of_nobody_is_ignored(listening: World, caplog: pytest.LogCaptureFixture) -> None:
    stray = "00000000-0000-4000-8000-000000000099"
    listening.set_guest(stray, ON)
    listening.host.driver.change_by_itself(stray, ON)
    assert listening.host.lanes.wait_idle(WAIT_SECONDS)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_start_listens_unless_told_not_to(world: World) -> None:
    assert world.host.driver._on_event is not None
    world.set("workarounds", handle_virt_lifecycle_events=False)
    world.start()
    assert world.host.driver._on_event is None
