"""The power sync: what it asks, what it corrects, whom it stops and whom it leaves alone."""

from __future__ import annotations

import threading

import pytest

from computed import errors
from computed.periodic.power_states import sync_power_states
from computed.states import PowerState
from tests.functional.clock.world import WAIT_SECONDS, World

ON, OFF, PAUSED, CRASHED = PowerState.RUNNING, PowerState.SHUTDOWN, PowerState.PAUSED, PowerState.CRASHED


@pytest.mark.parametrize("count", [0, 5, 50])
def test_one_conductor_call_when_nothing_has_changed(world: World, count: int) -> None:
    for _ in range(count):
        world.add()
    world.forget_counts()
    world.run(sync_power_states)
    assert world.asked == {"InstanceList.get_by_host": 1}
    assert world.cloud.counts.placement_requests == 0


@pytest.mark.parametrize("guest", [OFF, CRASHED])
def test_guest_that_went_off_by_itself_is_stopped_as_its_owner_would(world: World, guest: int) -> None:
    instance = world.add("active", guest=guest, power_state=int(ON))
    world.run(sync_power_states)
    assert world.states(instance) == ("stopped", None, OFF)
    assert world.actions(instance) == ["stop"]
    assert world.faults(instance) == []
    told = [each for each in world.notifier.told if each[0] == instance.uuid]
    assert told == [(instance.uuid, "power_off", "start"), (instance.uuid, "power_off", "end")]


def test_guest_that_runs_although_it_was_stopped_is_stopped(world: World) -> None:
    instance = world.add("stopped", guest=ON)
    world.run(sync_power_states)
    assert (world.states(instance), world.guest(instance)) == (("stopped", None, OFF), OFF)


def test_paused_guest_of_an_active_instance_is_only_recorded(world: World) -> None:
    instance = world.add("active", guest=PAUSED, power_state=int(ON))
    world.run(sync_power_states)
    assert (world.states(instance), world.guest(instance)) == (("active", None, PAUSED), PAUSED)


def test_correcting_a_record_costs_two_calls(world: World) -> None:
    instance = world.add("resized", guest=OFF, power_state=int(ON))
    world.forget_counts()
    world.run(sync_power_states)
    assert world.states(instance) == ("resized", None, OFF)
    assert world.asked == {"InstanceList.get_by_host": 1, "Instance.refresh": 1, "Instance.save": 1}


def test_vanished_guest_is_recorded_and_not_stopped_or_deleted(world: World) -> None:
    instance = world.add("active", guest=None)
    world.run(sync_power_states)
    assert world.states(instance) == ("active", None, PowerState.NOSTATE)
    world.forget_counts()
    world.run(sync_power_states)
    assert world.asked == {"InstanceList.get_by_host": 1}


def test_instance_with_a_task_is_left_alone(world: World) -> None:
    instance = world.add("active", "rebooting", guest=OFF, power_state=int(ON))
    world.run(sync_power_states)
    assert world.states(instance) == ("active", "rebooting", ON)


def test_task_that_began_since_the_list_was_read_is_respected(world: World) -> None:
    instance = world.add("active", guest=OFF, power_state=int(ON))
    states = world.host.driver.states

    def a_task_begins() -> object:
        world.edit(instance.uuid, task_state="rebooting")
        return states()

    world.host.driver.states = a_task_begins
    world.run(sync_power_states)
    assert world.states(instance) == ("active", "rebooting", ON)


def test_instance_that_has_moved_away_is_left_alone(world: World) -> None:
    instance = world.add("active", guest=OFF, power_state=int(ON))
    states = world.host.driver.states

    def it_moves() -> object:
        world.edit(instance.uuid, host="other")
        return states()

    world.host.driver.states = it_moves
    world.run(sync_power_states)
    assert world.states(instance) == ("active", None, ON)


def test_instance_that_is_being_worked_on_is_not_waited_for(world: World) -> None:
    busy = world.add("active", guest=OFF, power_state=int(ON))
    other = world.add("active", guest=OFF, power_state=int(ON))
    held, let_go = threading.Event(), threading.Event()

    def work() -> None:
        with world.host.locks.hold(busy.uuid):
            held.set()
            let_go.wait(WAIT_SECONDS)

    worker = threading.Thread(target=work)
    worker.start()
    assert held.wait(WAIT_SECONDS)
    try:
        world.run(sync_power_states)
        assert world.states(busy) == ("active", None, ON)
        assert world.states(other)[0] == "stopped"
    finally:
        let_go.set()
        worker.join(WAIT_SECONDS)


@pytest.mark.parametrize("what", ["states", "state"])
def test_unknown_is_not_off(world: World, what: str) -> None:
    instances = [world.add("active", guest=OFF, power_state=int(ON)), world.add("active", guest=None)]
    before = [world.record(instance) for instance in instances]
    world.set("fake", fail=[f"{what}:*:HypervisorUnavailable"])
    world.run(sync_power_states)
    assert [world.record(instance) for instance in instances] == before


def test_stop_that_fails_leaves_a_fault_and_is_tried_again(world: World) -> None:
    instance = world.add("active", guest=OFF, power_state=int(ON))
    world.set("fake", fail=["power_off:*:NovaException:1"])
    world.run(sync_power_states)
    assert world.states(instance) == ("active", None, OFF)
    assert len(world.faults(instance)) == 1
    world.run(sync_power_states)
    assert world.states(instance) == ("stopped", None, OFF)


def test_conductor_that_is_lost_in_between_does_no_harm(world: World) -> None:
    lost = world.add("active", guest=OFF, power_state=int(ON))
    world.cloud.trouble("Instance", "refresh", errors.InternalError(err="test"))
    world.run(sync_power_states)
    assert world.states(lost) == ("active", None, ON)
    world.run(sync_power_states)
    assert world.states(lost) == ("stopped", None, OFF)
