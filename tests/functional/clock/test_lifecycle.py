"""Events of guests, folded into the records."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from computed import errors, objects
from computed.states import PowerState
from computed.steps import lifecycle
from computed.virt.specs import LifecycleEvent
from tests.functional.clock.world import WAIT_SECONDS, World, eventually
from tests.functional.cloud import HOST

ON, OFF, PAUSED = PowerState.RUNNING, PowerState.SHUTDOWN, PowerState.PAUSED
ASLEEP, CRASHED = PowerState.SUSPENDED, PowerState.CRASHED
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


def test_event_during_a_verb_is_followed_after_it(listening: World) -> None:
    """The verb may have read the guest before."""
    instance = listening.add()
    with listening.host.locks.hold(instance.uuid):
        listening.host.driver.change_by_itself(instance.uuid, OFF)
        threading.Event().wait(2 * DELAY_SECONDS)
        assert listening.states(instance) == ("active", None, ON)
    assert eventually(lambda: listening.states(instance) == ("stopped", None, OFF))


def test_event_while_another_is_followed_is_not_lost(listening: World) -> None:
    instance = listening.add()
    goes_on = threading.Event()
    assert listening.host.lanes.start(instance.uuid, goes_on.wait)
    listening.host.driver.change_by_itself(instance.uuid, PAUSED)
    goes_on.set()
    assert eventually(lambda: listening.states(instance) == ("active", None, PAUSED))


def test_stop_is_in_the_record_within_two_seconds(world: World) -> None:
    """With the delay that the driver itself asks for, which leaves half of the time for the work."""
    instance = world.add()
    world.host.driver.change_by_itself(instance.uuid, OFF)
    assert eventually(lambda: world.states(instance) == ("stopped", None, OFF))
    assert world.host.driver.stopped_event_delay_seconds <= 1


def test_what_is_being_followed_is_finished_when_the_agent_ends(
    listening: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = listening.add()
    agree, is_begun = lifecycle.power_sync.agree, threading.Event()

    def agree_late(*arguments: Any) -> None:
        is_begun.set()
        time.sleep(0.5)
        agree(*arguments)

    monkeypatch.setattr(lifecycle.power_sync, "agree", agree_late)
    listening.host.driver.change_by_itself(instance.uuid, OFF)
    assert is_begun.wait(WAIT_SECONDS)
    assert listening.cloud.stop_agent()
    assert listening.states(instance) == ("stopped", None, OFF)
    assert listening.actions(instance) == ["stop"]


@pytest.mark.parametrize(
    ("vm_state", "before", "guest", "after"),
    [
        # What only the power state tells: as the power sync judges it (contract: stock's sync).
        ("active", ON, PAUSED, ("active", None, PAUSED)),
        ("active", PAUSED, ON, ("active", None, ON)),
        ("paused", PAUSED, ON, ("paused", None, ON)),
        ("suspended", ASLEEP, ON, ("suspended", None, ON)),
        ("error", OFF, ON, ("error", None, ON)),
        ("rescued", ON, OFF, ("rescued", None, OFF)),
        # What is stopped as its owner would
        ("active", ON, OFF, ("stopped", None, OFF)),
        ("active", ON, CRASHED, ("stopped", None, OFF)),
        ("active", ON, ASLEEP, ("stopped", None, OFF)),
        ("paused", PAUSED, OFF, ("stopped", None, OFF)),
        ("stopped", OFF, ON, ("stopped", None, OFF)),
    ],
)
def test_guest_that_changes_by_itself(
    listening: World, vm_state: str, before: int, guest: int, after: object
) -> None:
    instance = listening.add(vm_state, guest=before)
    listening.host.driver.change_by_itself(instance.uuid, guest)
    assert eventually(lambda: listening.states(instance) == after), listening.states(instance)
    assert listening.faults(instance) == []


class Bindings:
    """In place of the network: writes down to which host ports are switched."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.switched: list[tuple[str, str]] = []
        self.failure = failure

    def activate_bindings(self, context: Any, instance: Any, *, host: str) -> None:
        self.switched.append((instance.uuid, host))
        if self.failure is not None:
            raise self.failure


def leave(world: World, network: Bindings, event_name: str, status: str, task_state: str) -> Any:
    """A guest that is paused because it goes on elsewhere."""
    instance = world.add("active", task_state, guest=PAUSED)
    objects.Migration(
        world.context,
        instance_uuid=instance.uuid,
        source_compute=HOST,
        dest_compute="elsewhere",
        source_node=HOST,
        migration_type="live-migration",
        status=status,
    ).create()
    object.__setattr__(world.host, "network", network)
    world.host.driver._on_event(LifecycleEvent(instance.uuid, event_name, PAUSED, time.time()))
    assert world.host.lanes.wait_idle(WAIT_SECONDS)
    return instance


@pytest.mark.parametrize(
    ("event_name", "status", "task_state", "is_switched"),
    [
        ("EVENT_LIFECYCLE_MIGRATION_COMPLETED", "running", "migrating", True),
        ("EVENT_LIFECYCLE_POSTCOPY_STARTED", "running (post-copy)", "migrating", True),
        ("EVENT_LIFECYCLE_MIGRATION_COMPLETED", "preparing", "migrating", False),
        ("EVENT_LIFECYCLE_MIGRATION_COMPLETED", "running", None, False),
        ("EVENT_LIFECYCLE_PAUSED", "running", "migrating", False),
    ],
)
def test_ports_of_a_guest_that_leaves(
    listening: World, event_name: str, status: str, task_state: str, is_switched: bool
) -> None:
    network = Bindings()
    instance = leave(listening, network, event_name, status, task_state)
    assert network.switched == ([(instance.uuid, "elsewhere")] if is_switched else [])
    assert listening.states(instance)[:2] == ("active", task_state)


def test_ports_that_cannot_be_switched_stop_nothing(listening: World) -> None:
    network = Bindings(errors.PortBindingActivationFailed(port_id="p", host="elsewhere"))
    instance = leave(listening, network, "EVENT_LIFECYCLE_MIGRATION_COMPLETED", "running", "migrating")
    assert network.switched
    assert listening.states(instance) == ("active", "migrating", PAUSED)


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
