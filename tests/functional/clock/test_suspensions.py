"""Suspensions that a crash of the agent interrupts: what the hypervisor has put away is not lost."""

from __future__ import annotations

import threading
import time

import pytest

from computed.states import PowerState
from computed.steps import suspension
from tests.functional.clock.world import World

ON, OFF, PAUSED, ASLEEP = PowerState.RUNNING, PowerState.SHUTDOWN, PowerState.PAUSED, PowerState.SUSPENDED


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspension, "POLL_SECONDS", 0.1)


@pytest.mark.parametrize("guest", [OFF, ASLEEP])
@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize(
    ("vm_state", "task_state"),
    [
        ("active", "suspending"),
        ("suspended", "suspending"),
        ("suspended", "shelving"),
        ("suspended", "shelving_image_uploading"),
        ("suspended", "soft-deleting"),
    ],
)
def test_a_guest_whose_memory_is_put_away_is_suspended(
    world: World, vm_state: str, task_state: str, is_resumed: bool, guest: int
) -> None:
    """Some hypervisors show such a guest as one that is shut down."""
    world.set(resume_guests_state_on_host_boot=is_resumed)
    instance = world.add(vm_state, task_state, guest=guest, is_saved=True, power_state=int(ON))
    world.start()
    assert world.states(instance) == ("suspended", None, guest)
    assert world.guest(instance) == guest
    if vm_state == "active":
        assert world.record(instance)["system_metadata"]["old_vm_state"] == "active"
    assert world.faults(instance) == []


def test_it_goes_on_from_there(world: World) -> None:
    instance = world.add("active", "suspending", guest=OFF, is_saved=True)
    world.start()
    world.edit(instance.uuid, task_state="resuming")
    world.cloud.rpc.cast("resume_instance", instance=world.cloud.instance(instance.uuid))
    world.cloud.wait_for(instance.uuid, vm_state="active", task_state=None)
    assert (world.guest(instance), world.host.driver._store.find(instance.uuid).boots) == (ON, 0)
    assert "old_vm_state" not in world.record(instance)["system_metadata"]


@pytest.mark.parametrize(
    ("guest", "is_resumed", "after"),
    [
        (ON, False, ("active", None, ON)),
        (OFF, False, ("stopped", None, OFF)),
        (OFF, True, ("active", None, ON)),
        (None, True, ("active", None, ON)),
    ],
)
def test_one_whose_memory_is_not_put_away_is_what_its_guest_is(
    world: World, guest: int | None, is_resumed: bool, after: object
) -> None:
    world.set(resume_guests_state_on_host_boot=is_resumed)
    instance = world.add("active", "suspending", guest=guest, power_state=int(ON))
    world.start()
    assert world.states(instance) == after


@pytest.mark.parametrize(
    ("guest", "is_saved", "after"),
    [
        (OFF, True, ("suspended", None, OFF)),
        (OFF, False, ("stopped", None, OFF)),
        (ON, False, ("active", None, ON)),
    ],
)
def test_a_suspension_that_goes_on_is_waited_for(
    world: World, guest: int, is_saved: bool, after: object
) -> None:
    """While its memory is put away the guest shows as a paused one."""
    instance = world.add("active", "suspending", guest=PAUSED, power_state=int(ON))

    def end() -> None:
        time.sleep(1.5)
        world.set_guest(instance.uuid, guest, is_saved=is_saved)

    starting = threading.Thread(target=world.start)
    starting.start()
    try:
        time.sleep(1.0)
        assert world.states(instance) == ("active", "suspending", ON)
    finally:
        end()
        starting.join()
    world.cloud.wait_for(instance.uuid, task_state=None)
    assert world.states(instance) == after


def test_a_guest_that_stands_still_for_ever_is_not_called_paused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspension, "LONGEST_SECONDS", 0.3)
    instance = world.add("active", "suspending", guest=PAUSED, power_state=int(ON))
    world.start()
    assert world.states(instance) == ("active", None, PAUSED)


def test_an_agent_that_is_stopped_leaves_it_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from computed.operations import recover

    monkeypatch.setattr(recover, "PATIENCE_SECONDS", 0.2)
    instance = world.add("active", "suspending", guest=PAUSED, power_state=int(ON))
    world.start()
    world.cloud.stop_agent()
    assert world.states(instance) == ("active", "suspending", ON)
    world.set_guest(instance.uuid, OFF, is_saved=True)
    world.cloud.start_agent()
    world.cloud.wait_for(instance.uuid, vm_state="suspended", task_state=None)
