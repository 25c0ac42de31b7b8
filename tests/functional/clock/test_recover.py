"""What a restart makes of the instances it finds."""

from __future__ import annotations

import pytest

from computed import errors
from computed.operations.recover import second_look
from computed.states import PowerState
from tests.functional.clock.world import World
from tests.functional.cloud import HOST

ON, OFF, PAUSED = PowerState.RUNNING, PowerState.SHUTDOWN, PowerState.PAUSED


@pytest.mark.parametrize(
    ("vm_state", "task_state", "guest", "after", "guest_after"),
    [
        ("active", None, ON, ("active", None, ON), ON),
        ("active", "powering-off", ON, ("stopped", None, OFF), OFF),
        ("active", "powering-off", OFF, ("stopped", None, OFF), OFF),
        ("stopped", "powering-on", OFF, ("active", None, ON), ON),
        ("stopped", "powering-on", ON, ("active", None, ON), ON),
        ("active", "rebooting", ON, ("active", None, ON), ON),
        ("active", "rebooting", OFF, ("active", None, ON), ON),
        ("active", "reboot_pending", ON, ("active", None, ON), ON),
        ("active", "reboot_pending", OFF, ("active", None, ON), ON),
        ("active", "reboot_started", OFF, ("active", None, ON), ON),
        ("active", "reboot_started_hard", None, ("active", None, ON), ON),
        ("active", "reboot_pending_hard", ON, ("active", None, ON), ON),
        ("stopped", "rebooting_hard", OFF, ("active", None, ON), ON),
        ("active", "pausing", PAUSED, ("paused", None, PAUSED), PAUSED),
        ("paused", "unpausing", ON, ("active", None, ON), ON),
        ("active", "image_uploading", ON, ("active", None, ON), ON),
        ("active", "shelving", OFF, ("stopped", None, OFF), OFF),
        ("active", "resize_prep", ON, ("active", None, ON), ON),
        ("error", "rebooting_hard", OFF, ("error", None, OFF), OFF),
        ("soft-delete", None, OFF, ("soft-delete", None, OFF), OFF),
    ],
)
def test_instance_is_legal_afterwards(
    world: World, vm_state: str, task_state: str, guest: int, after: object, guest_after: int
) -> None:
    instance = world.add(vm_state, task_state, guest=guest)
    world.start()
    assert (world.states(instance), world.guest(instance)) == (after, guest_after)
    assert world.faults(instance) == []


@pytest.mark.parametrize(
    ("vm_state", "task_state", "guest"),
    [
        ("building", "spawning", None),
        ("building", "spawning", ON),
        ("building", "networking", None),
        ("building", None, None),
        ("active", "rebuild_spawning", None),
        ("active", "resize_migrated", None),
    ],
)
def test_what_cannot_be_finished_is_an_error_with_a_fault(
    world: World, vm_state: str, task_state: str, guest: int
) -> None:
    instance = world.add(vm_state, task_state, guest=guest)
    world.start()
    assert world.states(instance)[:2] == ("error", None)
    assert len(world.faults(instance)) == 1
    assert "restarted" in world.faults(instance)[0]
    assert world.guest(instance) == guest


@pytest.mark.parametrize("vm_state", ["active", "error", "building", "soft-delete", "deleted"])
def test_deletion_is_finished(world: World, vm_state: str) -> None:
    instance = world.add(vm_state, "deleting" if vm_state != "deleted" else None)
    world.hold(instance)
    world.network.allocate(world.context, instance, host=HOST, requested=None, security_groups=())
    world.start()
    assert world.record(instance)["deleted"]
    assert world.record(instance)["vm_state"] == "deleted"
    assert world.guest(instance) is None
    assert world.placement.get_allocations(world.context, instance.uuid)["allocations"] == {}
    assert world.cloud.rows("Port", instance_uuid=instance.uuid) == []


def test_guest_that_vanished_is_not_deleted(world: World) -> None:
    instance = world.add("active", guest=None)
    world.start()
    assert world.states(instance) == ("active", None, ON)
    assert not world.record(instance)["deleted"]


def test_nothing_is_touched_when_the_hypervisor_cannot_be_read(world: World) -> None:
    instances = [world.add("active", "powering-off"), world.add("building", "spawning"), world.add()]
    before = [world.record(instance) for instance in instances]
    # At the start the identity is checked first; it does not ask for guests of a known service.
    world.set("fake", fail=["states:*:HypervisorUnavailable"])
    with pytest.raises(errors.HypervisorUnavailable):
        world.host.driver.states()
    world.start()
    assert [world.record(instance) for instance in instances] == before


def test_one_bad_instance_stops_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    bad = world.add("active", "powering-off", display_name="bad")
    strange = world.add("active", "no-such-task")
    good = world.add("active", "powering-off")
    world.set("fake", fail=["power_off:bad"])
    world.start()
    assert world.states(good)[:2] == ("stopped", None)
    assert world.states(bad)[:2] == ("active", None)
    assert len(world.faults(bad)) == 1
    assert world.states(strange)[:2] == ("active", "no-such-task")
    assert strange.uuid in caplog.text


def test_power_state_is_corrected_and_nothing_else(world: World) -> None:
    instance = world.add("active", guest=ON, power_state=0)
    world.forget_counts()
    world.start()
    assert world.states(instance) == ("active", None, ON)
    assert world.asked["Instance.save"] == 1
    assert world.faults(instance) == []


@pytest.mark.parametrize("count", [0, 5, 20])
def test_questions_do_not_grow_with_instances_that_are_well(world: World, count: int) -> None:
    for _ in range(count):
        world.add()
    world.forget_counts()
    world.start()
    recovery = {
        name: asked
        for name, asked in world.asked.items()
        if name.startswith(("InstanceList.get_by_host", "MigrationList.get_by_filters", "Instance."))
        and "node" not in name
    }
    # The audit of the start asks once, too.
    assert recovery == {"InstanceList.get_by_host": 2, "MigrationList.get_by_filters": 2}


def test_each_instance_that_is_changed_costs_one_save(world: World) -> None:
    for _ in range(4):
        world.add("active", "image_snapshot")
    world.add()
    world.forget_counts()
    world.start()
    assert world.asked["Instance.save"] == 4


def test_build_that_no_host_had_accepted_is_found_in_placement(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_look, "GRACE_SECONDS", 0.1)
    lost = world.add("building", "scheduling", host=None, node=None, compute_id=None, guest=None)
    elsewhere = world.add("building", "spawning", host="other", node=None, compute_id=None, guest=None)
    unrelated = world.add("building", "scheduling", host=None, node=None, compute_id=None, guest=None)
    for instance in (lost, elsewhere):
        world.hold(instance)
    world.start()
    world.cloud.wait_for(lost.uuid, vm_state="error", task_state=None)
    world.cloud.settle()
    assert len(world.faults(lost)) == 1
    assert world.states(elsewhere)[:2] == ("building", "spawning")
    assert world.states(unrelated)[:2] == ("building", "scheduling")


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("guest", [OFF, None])
def test_guests_of_a_host_that_went_down_run_again_if_wanted(
    world: World, is_on: bool, guest: int | None
) -> None:
    world.set(resume_guests_state_on_host_boot=is_on)
    ran = world.add("active", guest=guest, power_state=int(ON))
    was_off = world.add("stopped", guest=OFF)
    world.start()
    assert world.guest(ran) == (ON if is_on else guest)
    assert world.guest(was_off) == OFF
    if is_on:
        assert world.states(ran) == ("active", None, ON)


def test_guest_that_cannot_be_started_again_is_an_error(world: World) -> None:
    world.set(resume_guests_state_on_host_boot=True)
    world.set("fake", fail=["reboot:*"])
    instance = world.add("active", guest=OFF, power_state=int(ON))
    world.start()
    assert world.states(instance)[:2] == ("error", None)
    assert len(world.faults(instance)) == 1


def test_build_that_no_host_had_accepted_gets_time_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_look, "GRACE_SECONDS", 1.0)
    lost = world.add("building", "scheduling", host=None, node=None, compute_id=None, guest=None)
    taken = world.add("building", "scheduling", host=None, node=None, compute_id=None, guest=None)
    for instance in (lost, taken):
        world.hold(instance)
    world.start()
    assert world.states(lost)[:2] == ("building", "scheduling")
    world.edit(taken.uuid, host=HOST, task_state="spawning")
    world.cloud.wait_for(lost.uuid, vm_state="error", task_state=None)
    world.cloud.settle()
    assert world.states(taken)[:2] == ("building", "spawning")
    assert (len(world.faults(lost)), world.faults(taken)) == (1, [])


def test_schedulers_hear_of_the_instances_if_there_are_any(world: World) -> None:
    assert world.scheduler.told == []
    instance = world.add()
    world.start()
    assert world.scheduler.told == [("update", [instance.uuid])]


def test_evacuated_instance_is_left_to_its_new_host(world: World) -> None:
    from computed import objects

    instance = world.add("active", "rebuilding")
    migration = objects.Migration(
        world.context,
        instance_uuid=instance.uuid,
        source_compute=instance.host,
        status="accepted",
        migration_type="evacuation",
    )
    migration.create()
    world.start()
    assert world.states(instance)[:2] == ("active", "rebuilding")


def test_live_migration_that_was_interrupted_ends_in_error(world: World) -> None:
    from computed import objects

    instance = world.add("active", "migrating")
    migration = objects.Migration(
        world.context,
        instance_uuid=instance.uuid,
        source_compute=instance.host,
        status="running",
        migration_type="live-migration",
    )
    migration.create()
    world.start()
    assert world.states(instance)[:2] == ("active", None)
    assert objects.Migration.get_by_id(world.context, migration.id).status == "error"
