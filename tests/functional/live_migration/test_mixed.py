"""The other end may be a stock agent: each side does with what that one sends, and sends what it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from computed import objects
from computed.embedded.servers import user_context
from computed.states import Action, MigrationStatus, MigrationType, TaskState
from tests.functional.cloud import HOST, Cloud
from tests.functional.live_migration.test_volumes import attach, is_on, mapping
from tests.functional.live_migration.world import World, make_world

THERE = "second"


@pytest.fixture
def world(make_pair: Callable[..., Cloud]) -> World:
    return make_world(make_pair)


def stock_data(**fields: Any) -> Any:
    """What the fake driver of a stock destination answers (contract: fake driver of nova 34)."""
    return objects.LibvirtLiveMigrateData(
        disk_available_mb=100_000,
        filename="fake",
        graphics_listen_addr_spice="127.0.0.1",
        graphics_listen_addr_vnc="127.0.0.1",
        image_type="default",
        is_shared_block_storage=True,
        is_shared_instance_path=True,
        serial_listen_addr=None,
        **fields,
    )


def prepare(world: World, uuid: str) -> str:
    """What API and conductor do for a live migration to the second host; its uuid."""
    world.role.begin(user_context(), uuid, Action.LIVE_MIGRATION, TaskState.MIGRATING)
    migration = world.role.make_migration(
        uuid,
        MigrationType.LIVE_MIGRATION,
        status=MigrationStatus.RUNNING,
        dest_compute=THERE,
        dest_node=THERE,
    )
    world.role.move_allocations(uuid, migration)
    world.role.claim(uuid, THERE, world.flavor(uuid))
    return migration


def call(world: World, method: str, host: str, uuid: str, **arguments: Any) -> Any:
    context = user_context()
    return world.cloud.rpc.call(
        method,
        context=context,
        version="6.0",
        server=host,
        instance=world.role.instance(uuid, context),
        **arguments,
    )


def test_a_stock_source_sends_a_guest(world: World) -> None:
    uuid = world.boot()
    volume_id = attach(world, uuid)
    old = mapping(world, uuid, volume_id)["attachment_id"]
    prepare(world, uuid)
    # It tells of no migration and no volumes, and its driver of no disks.
    data = call(
        world, "pre_live_migration", THERE, uuid, disk=None, migrate_data=stock_data(is_volume_backed=False)
    )
    assert data.old_vol_attachment_ids == {volume_id: old}
    assert data.wait_for_vif_plugged is False
    assert world.used(THERE) == 1
    world.driver(HOST)._store.remove(uuid, keep_disks=False)
    world.cloud.embedded.volumes.attachment_delete(user_context(), old)
    call(world, "post_live_migration_at_destination", THERE, uuid, block_migration=None)
    row = world.cloud.row(uuid)
    assert (row["host"], row["vm_state"], row["task_state"]) == (THERE, "active", None)
    assert world.guests(THERE) == {uuid} and world.used(THERE) == 1
    assert world.bindings(uuid) == [(THERE, [])]
    (attachment,) = world.cloud.embedded.volumes.attachments_of(volume_id=volume_id)
    assert attachment["connector"]["host"] == THERE


def test_a_stock_source_takes_it_back(world: World) -> None:
    uuid = world.boot()
    migration = prepare(world, uuid)
    call(world, "pre_live_migration", THERE, uuid, disk=None, migrate_data=stock_data(is_volume_backed=False))
    assert world.used(THERE) == 1
    world.cloud.rpc.cast(
        "rollback_live_migration_at_destination",
        version="6.0",
        server=THERE,
        instance=world.role.instance(uuid, user_context()),
        destroy_disks=True,
        migrate_data=stock_data(is_volume_backed=False),
    )
    world.cloud.settle()
    assert world.used(THERE) == 0 and world.driver(THERE)._coming == {}
    assert world.guests(THERE) == set() and world.guests(HOST) == {uuid}
    # With shared storage a stock source tells nobody: the audit finds out from the records.
    call(world, "pre_live_migration", THERE, uuid, disk=None, migrate_data=stock_data(is_volume_backed=False))
    world.cloud.set_fields(uuid, task_state=None)
    world.role.set_migration(migration, status=MigrationStatus.FAILED)
    world.cloud.agents[THERE].run_periodic("update_available_resource")
    assert world.used(THERE) == 0


def test_a_stock_destination_gets_a_guest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = world.boot()
    volume_id = attach(world, uuid)
    computes = world.cloud.agents[HOST].host.computes
    pre = computes.pre_live_migration

    def stock_pre(*arguments: Any, **more: Any) -> Any:
        # It writes the old attachments anew and drops what it does not know.
        data = pre(*arguments, **more)
        del data.migration
        return data

    monkeypatch.setattr(computes, "pre_live_migration", stock_pre)
    migration = world.role.live_migrate(uuid, to=THERE)
    assert world.status(migration) == "completed"
    is_on(world, uuid, volume_id, THERE)


def test_the_forms_of_version_5(world: World) -> None:
    uuid = world.boot()
    prepare(world, uuid)
    context = user_context()
    data = world.cloud.rpc.call(
        "check_can_live_migrate_destination",
        version="5.0",
        server=THERE,
        instance=world.role.instance(uuid, context),
        block_migration=None,
        disk_over_commit=None,
    )
    data = world.cloud.rpc.call(
        "pre_live_migration",
        version="5.0",
        server=THERE,
        instance=world.role.instance(uuid, context),
        block_migration=None,
        disk=None,
        migrate_data=data,
    )
    assert data.wait_for_vif_plugged is False and world.used(THERE) == 1
    world.cloud.rpc.call(
        "post_live_migration_at_destination",
        version="5.0",
        server=THERE,
        instance=world.role.instance(uuid, context),
        block_migration=None,
    )
    assert (world.cloud.row(uuid)["host"], world.guests(THERE)) == (THERE, {uuid})


@pytest.mark.parametrize("pin", ["train", "wallaby", "6.4"])
def test_to_computes_that_are_pinned_to_an_older_version(make_pair: Callable[..., Cloud], pin: str) -> None:
    pinned = {"upgrade_levels.compute": pin}
    world = make_world(make_pair, first=pinned, second=pinned)
    uuid = world.boot()
    migration = world.role.live_migrate(uuid, to=THERE)
    assert world.status(migration) == "completed" and world.guests(THERE) == {uuid}
    world.set(THERE, fail=["live_migrate:*:MigrationError:1"])
    migration = world.role.live_migrate(uuid, to=HOST)
    world.assert_stayed(uuid, migration, "failed", host=THERE)
