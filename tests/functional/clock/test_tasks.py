"""The smaller periodic tasks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from computed import errors, objects
from computed.periodic import (
    build_timeout,
    console_tokens,
    incomplete_migrations,
    network_cache,
    pending_deletes,
    rebooting,
    reclaim,
    running_deleted,
    scheduler_sync,
    usage_audit,
)
from computed.states import PowerState
from tests.functional.clock.world import World
from tests.functional.cloud import HOST

ON, OFF = PowerState.RUNNING, PowerState.SHUTDOWN


def ago(seconds: int) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


# Builds that take too long


def test_only_old_builds_end_in_error(world: World) -> None:
    world.set(instance_build_timeout=100)
    old = world.add("building", "spawning", guest=None, created_at=ago(200))
    new = world.add("building", "spawning", guest=None, created_at=ago(50))
    other = world.add("active", created_at=ago(200))
    world.run(build_timeout.check_build_time)
    assert world.states(old)[0] == "error"
    assert len(world.faults(old)) == 1
    assert (world.states(new)[0], world.states(other)[0]) == ("building", "active")


def test_build_that_ends_meanwhile_stays_active(world: World) -> None:
    world.set(instance_build_timeout=100)
    done = world.add("active", created_at=ago(200))
    stale = objects.Instance.get_by_uuid(world.context, done.uuid)
    stale.vm_state = "building"
    stale.obj_reset_changes()
    listed = objects.InstanceList(objects=[stale])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects.InstanceList, "get_by_filters", lambda *args, **kwargs: listed)
        world.run(build_timeout.check_build_time)
    assert world.states(done)[0] == "active"
    assert world.faults(done) == []


# Soft deletion


def test_soft_deleted_is_reclaimed_in_its_time(world: World) -> None:
    world.set(reclaim_instance_interval=100)
    old = world.add("soft-delete", guest=OFF, deleted_at=ago(200))
    new = world.add("soft-delete", guest=OFF, deleted_at=ago(50))
    restoring = world.add("soft-delete", "restoring", guest=OFF, deleted_at=ago(200))
    world.hold(old)
    world.run(reclaim.reclaim_queued_deletes)
    assert world.record(old)["deleted"]
    assert world.guest(old) is None
    assert world.placement.get_allocations(world.context, old.uuid)["allocations"] == {}
    for kept in (new, restoring):
        assert not world.record(kept)["deleted"]
        assert world.guest(kept) == OFF


def test_reclaim_that_fails_is_tried_again(world: World) -> None:
    world.set(reclaim_instance_interval=100)
    world.set("fake", fail=["destroy:*:NovaException:1"])
    instance = world.add("soft-delete", guest=OFF, deleted_at=ago(200))
    world.run(reclaim.reclaim_queued_deletes)
    assert world.states(instance)[:2] == ("soft-delete", None)
    world.run(reclaim.reclaim_queued_deletes)
    assert world.record(instance)["deleted"]


# Guests of deleted instances


def deleted(world: World, **fields: object) -> objects.Instance:
    """An instance whose record is deleted and whose guest runs."""
    instance = world.add("active")
    world.edit(instance.uuid, **{"deleted": True, "vm_state": "deleted", "deleted_at": ago(1000), **fields})
    return instance


@pytest.mark.parametrize(("action", "guest"), [("noop", ON), ("log", ON), ("shutdown", OFF), ("reap", None)])
def test_guest_of_a_deleted_instance(world: World, action: str, guest: int | None) -> None:
    world.set(running_deleted_instance_action=action)
    gone, alive = deleted(world), world.add("active")
    world.set_guest("00000000-0000-4000-8000-000000000099", ON)
    if running_deleted.is_wanted(world.host):
        world.run(running_deleted.cleanup_running_deleted_instances)
    assert world.guest(gone) == guest
    assert world.guest(alive) == ON
    assert "00000000-0000-4000-8000-000000000099" in world.host.driver.states(), "it has no record: not ours"


def test_guest_of_an_instance_deleted_just_now_is_left_alone(world: World) -> None:
    world.set(running_deleted_instance_action="reap", running_deleted_instance_timeout=600)
    recent = deleted(world, deleted_at=ago(60))
    world.run(running_deleted.cleanup_running_deleted_instances)
    assert world.guest(recent) == ON


def test_soft_deleted_instance_keeps_its_guest(world: World) -> None:
    world.set(running_deleted_instance_action="reap")
    instance = world.add("soft-delete", guest=OFF, deleted_at=ago(1000))
    world.run(running_deleted.cleanup_running_deleted_instances)
    assert world.guest(instance) == OFF


def test_nothing_is_reaped_on_the_strength_of_a_failed_read(world: World) -> None:
    world.set(running_deleted_instance_action="reap")
    gone = deleted(world)
    world.set("fake", fail=["states:*:HypervisorUnavailable"])
    world.forget_counts()
    world.run(running_deleted.cleanup_running_deleted_instances)
    assert world.guest(gone) == ON
    assert world.asked == {}


# Leftovers


def test_files_of_deleted_instances_are_removed_and_marked(world: World) -> None:
    instance = deleted(world)
    world.set_guest(instance.uuid, OFF, defined=False)
    world.run(pending_deletes.run_pending_deletes)
    assert world.record(instance)["cleaned"]
    assert not world.host.driver.has_disks_of(instance)
    world.forget_counts()
    world.run(pending_deletes.run_pending_deletes)
    assert world.asked == {"InstanceList.get_by_filters": 1}


def test_leftovers_are_given_up_after_some_attempts(world: World) -> None:
    world.set(maximum_instance_delete_attempts=2)
    instance = deleted(world)
    for _ in range(2):
        world.run(pending_deletes.run_pending_deletes)
    assert not world.record(instance)["cleaned"], "its guest is still there"
    world.forget_counts()
    world.run(pending_deletes.run_pending_deletes)
    assert world.asked == {"InstanceList.get_by_filters": 1}


def test_nothing_is_asked_about_migrations_that_are_well(world: World) -> None:
    world.run(incomplete_migrations.cleanup_incomplete_migrations)
    assert world.asked == {"MigrationList.get_by_filters": 1}


@pytest.mark.parametrize(("host", "is_removed"), [("other", True), (HOST, False)])
def test_what_a_failed_move_left_goes_with_its_deleted_instance(
    world: World, host: str, is_removed: bool
) -> None:
    instance = deleted(world, host=host)
    world.set_guest(instance.uuid, OFF, defined=False)
    migration = objects.Migration(
        world.context,
        instance_uuid=instance.uuid,
        source_compute="other",
        dest_compute=HOST,
        status="error",
        migration_type="migration",
    )
    migration.create()
    world.run(incomplete_migrations.cleanup_incomplete_migrations)
    assert world.host.driver.has_disks_of(instance) is not is_removed
    after = objects.Migration.get_by_id(world.context, migration.id).status
    assert after == ("failed" if is_removed else "error")


# Reboots


def test_stuck_reboot_becomes_a_hard_one(world: World) -> None:
    world.set(reboot_timeout=100)
    stuck = world.add("active", "reboot_started", guest=OFF)
    world.edit(stuck.uuid, updated_at=ago(200))
    fresh = world.add("active", "reboot_started", guest=OFF)
    world.edit(fresh.uuid, updated_at=ago(50))
    world.run(rebooting.poll_rebooting_instances)
    assert (world.states(stuck)[:2], world.guest(stuck)) == (("active", None), ON)
    assert world.actions(stuck) == ["reboot"]
    assert (world.states(fresh)[:2], world.guest(fresh)) == (("active", "reboot_started"), OFF)


# Network information


@pytest.fixture
def looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The instances whose network is asked for, in order."""
    asked: list[str] = []
    locate = world.network.locate

    def watched(context: object, instance: objects.Instance) -> object:
        asked.append(instance.uuid)
        return locate(context, instance)

    monkeypatch.setattr(world.network, "locate", watched)
    return asked


def test_one_instance_at_a_run_and_each_in_its_turn(world: World, looked_at: list[str]) -> None:
    instances = {world.add().uuid for _ in range(3)}
    world.add("building", "networking", guest=None)
    heal = network_cache.Healer()
    for count in range(3):
        world.run(heal)
        assert len(looked_at) == count + 1
    assert set(looked_at) == instances


def test_network_service_that_fails_leaves_no_faults(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = world.add()
    failed: list[str] = []

    def fail(context: object, instance: objects.Instance) -> None:
        failed.append(instance.uuid)
        raise errors.NetworkServiceUnavailable("test")

    monkeypatch.setattr(world.network, "locate", fail)
    world.run(network_cache.Healer())
    assert failed == [instance.uuid]
    assert world.faults(instance) == []
    assert world.states(instance) == ("active", None, ON)


# Usage


def test_usage_is_told_once_a_period(world: World) -> None:
    world.set(instance_usage_audit_period="hour")
    instance = world.add()
    world.edit(instance.uuid, launched_at=ago(3 * 3600))
    world.run(usage_audit.audit_instance_usage)
    world.run(usage_audit.audit_instance_usage)
    assert [each[:2] for each in world.notifier.told] == [(instance.uuid, "exists")]


def test_usage_that_cannot_be_told_is_counted_as_an_error(world: World) -> None:
    world.set(instance_usage_audit_period="hour")
    instance = world.add()
    world.edit(instance.uuid, launched_at=ago(3 * 3600))
    world.notifier.failure = errors.NovaException("test")
    world.run(usage_audit.audit_instance_usage)
    with world.store.transaction() as records:
        log = records.first("TaskLog")
    assert (log["state"], log["task_items"], log["errors"]) == ("DONE", 1, 1)


# Others


def test_schedulers_are_told_who_is_here(world: World) -> None:
    instances = {world.add().uuid for _ in range(3)}
    world.add(host="other", node=None, compute_id=None)
    world.forget_counts()
    world.run(scheduler_sync.sync_scheduler_instance_info)
    [(what, told)] = world.scheduler.told
    assert (what, set(told)) == ("sync", instances)
    assert sum(world.asked.values()) == 1


def test_expired_console_permissions_are_forgotten(world: World) -> None:
    instance = world.add()
    for ttl in (-100, 100):
        token = objects.ConsoleAuthToken(
            context=world.context,
            console_type="novnc",
            host=HOST,
            port=1,
            internal_access_path=None,
            instance_uuid=instance.uuid,
            access_url_base="http://x",
        )
        token.authorize(ttl)
    world.run(console_tokens.cleanup_expired_console_auth_tokens)
    with world.store.transaction() as records:
        assert len(records.find("ConsoleAuthToken")) == 1
