"""Volumes go along with a running server, and come back with it when it does not get away."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from computed import errors
from computed.embedded.servers import user_context
from tests.functional.cloud import HOST, Cloud
from tests.functional.live_migration.test_failures import dying
from tests.functional.live_migration.world import World, make_world

THERE = "second"


@pytest.fixture
def world(make_pair: Callable[..., Cloud]) -> World:
    return make_world(make_pair)


def attach(world: World, uuid: str, host: str = HOST) -> str:
    """Attach a new volume, as API and agent do; returns its id."""
    context, rpc, service = user_context(), world.cloud.rpc, world.cloud.embedded.volumes
    volume_id = service.add()
    bdm = rpc.call(
        "reserve_block_device_name",
        server=host,
        version="6.0",
        instance=world.role.instance(uuid, context),
        device=None,
        volume_id=volume_id,
        disk_bus=None,
        device_type=None,
        tag=None,
        multiattach=False,
    )
    bdm.attachment_id = service.attachment_create(context, volume_id, uuid).id
    bdm.save()
    rpc.cast(
        "attach_volume",
        server=host,
        version="6.0",
        instance=world.role.instance(uuid, context),
        bdm=bdm,
    )
    world.cloud.settle()
    assert service.row(volume_id)["status"] == "in-use"
    return volume_id


def mapping(world: World, uuid: str, volume_id: str) -> dict[str, Any]:
    [row] = [
        row
        for row in world.cloud.rows("BlockDeviceMapping", instance_uuid=uuid)
        if row["volume_id"] == volume_id and not row["deleted"]
    ]
    return row


def is_on(world: World, uuid: str, volume_id: str, host: str) -> None:
    """One attachment, that of `host`, which the mapping and the guest there know of."""
    (attachment,) = world.cloud.embedded.volumes.attachments_of(volume_id=volume_id)
    assert (attachment["connector"]["host"], attachment["status"]) == (host, "attached")
    row = mapping(world, uuid, volume_id)
    assert row["attachment_id"] == attachment["uuid"]
    assert json.loads(row["connection_info"])["serial"] == volume_id
    assert set(world.driver(host).volumes_of(uuid)) >= {volume_id}
    assert world.cloud.embedded.volumes.row(volume_id)["status"] == "in-use"


def test_they_go_along(world: World) -> None:
    uuid = world.boot()
    volumes = [attach(world, uuid), attach(world, uuid)]
    for to in (THERE, HOST):
        migration = world.role.live_migrate(uuid, to=to)
        assert world.status(migration) == "completed"
        for volume_id in volumes:
            is_on(world, uuid, volume_id, to)
    world.cloud.delete(uuid)
    assert world.cloud.embedded.volumes.attachments_of() == []


@pytest.mark.parametrize("is_block", [False, True])
def test_they_come_back_from_a_failure_on_the_way(world: World, is_block: bool) -> None:
    uuid = world.boot()
    volume_id = attach(world, uuid)
    before = mapping(world, uuid, volume_id)
    world.set(HOST, fail=["live_migrate:*:MigrationError:1"])
    migration = world.role.live_migrate(uuid, to=THERE, block_migration=is_block)
    world.assert_stayed(uuid, migration, "failed")
    is_on(world, uuid, volume_id, HOST)
    after = mapping(world, uuid, volume_id)
    assert (after["attachment_id"], after["connection_info"]) == (
        before["attachment_id"],
        before["connection_info"],
    )


def test_they_come_back_from_a_destination_that_fails(world: World) -> None:
    uuid = world.boot()
    volumes = [attach(world, uuid), attach(world, uuid)]
    world.set(THERE, fail=["prepare_live_migration:*:NovaException:1"])
    migration = world.role.live_migrate(uuid, to=THERE)
    world.assert_stayed(uuid, migration, "failed")
    for volume_id in volumes:
        is_on(world, uuid, volume_id, HOST)


def test_a_volume_service_that_refuses_the_second_volume(world: World) -> None:
    uuid = world.boot()
    volumes = [attach(world, uuid), attach(world, uuid)]
    service = world.cloud.embedded.volumes
    create, met = service.attachment_create, []

    def refuse_second(*arguments: Any, **more: Any) -> Any:
        met.append(arguments)
        if len(met) == 2:
            raise errors.CinderConnectionFailed(reason="no")
        return create(*arguments, **more)

    service.attachment_create = refuse_second
    migration = world.role.live_migrate(uuid, to=THERE)
    assert len(met) == 2
    world.assert_stayed(uuid, migration, "failed")
    for volume_id in volumes:
        is_on(world, uuid, volume_id, HOST)


def test_an_attachment_that_cannot_be_deleted_behind_it(world: World) -> None:
    uuid = world.boot()
    volume_id = attach(world, uuid)
    old = mapping(world, uuid, volume_id)["attachment_id"]
    service = world.cloud.embedded.volumes
    delete = service.attachment_delete

    def fail(context: Any, attachment_id: str) -> None:
        if attachment_id == old:
            raise errors.CinderConnectionFailed(reason="no")
        delete(context, attachment_id)

    service.attachment_delete = fail
    migration = world.role.live_migrate(uuid, to=THERE)
    assert world.status(migration) == "completed"
    assert world.guests(THERE) == {uuid} and world.cloud.row(uuid)["vm_state"] == "active"
    assert mapping(world, uuid, volume_id)["attachment_id"] != old


def test_aborted_with_a_volume(world: World) -> None:
    uuid = world.boot()
    volume_id = attach(world, uuid)
    world.set(HOST, delays={"live_migrate": "10"})
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    world.cloud.wait(lambda: uuid in world.driver(HOST)._leaving, "it to leave")
    world.role.abort(uuid, migration)
    world.cloud.wait_for(uuid, task_state=None)
    world.cloud.settle()
    world.assert_stayed(uuid, migration, "cancelled")
    is_on(world, uuid, volume_id, HOST)


# The source dies


def restart(world: World) -> None:
    world.cloud.kill_agent()
    world.cloud.start_agent()
    world.cloud.settle()


def test_they_come_back_when_the_source_dies_on_the_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = world.boot()
    volumes = [attach(world, uuid), attach(world, uuid)]
    died = dying(monkeypatch, world.driver(HOST), "_travel")
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    assert died.wait(10)
    assert len(world.cloud.embedded.volumes.attachments_of()) == 4 and world.used(THERE) == 1
    restart(world)
    world.assert_stayed(uuid, migration, "error")
    for volume_id in volumes:
        is_on(world, uuid, volume_id, HOST)
        known = json.loads(mapping(world, uuid, volume_id)["connection_info"])
        assert known["data"]["target_host"] == HOST
        assert volume_id not in world.driver(THERE).volumes_of(uuid)
    world.cloud.delete(uuid)
    assert world.cloud.embedded.volumes.attachments_of() == []


def test_they_come_back_when_the_source_dies_while_the_destination_prepares(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = world.boot()
    volume_id = attach(world, uuid)
    died = dying(monkeypatch, world.cloud.agents[HOST].host.computes, "pre_live_migration")
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    assert died.wait(10) and world.status(migration) == "preparing"
    restart(world)
    world.assert_stayed(uuid, migration, "error")
    is_on(world, uuid, volume_id, HOST)


def test_they_stay_as_they_are_when_the_service_does_not_say_whose_they_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = world.boot()
    volume_id = attach(world, uuid)
    died = dying(monkeypatch, world.driver(HOST), "_travel")
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    assert died.wait(10)
    service, before = world.cloud.embedded.volumes, mapping(world, uuid, volume_id)["attachment_id"]
    get = service.get
    monkeypatch.setattr(service, "get", lambda *given: replace(get(*given), holders=()))
    restart(world)
    assert world.status(migration) == "error" and world.cloud.row(uuid)["task_state"] is None
    assert len(service.attachments_of(volume_id=volume_id)) == 2
    assert mapping(world, uuid, volume_id)["attachment_id"] == before


def test_they_are_let_go_when_the_source_dies_after_the_guest_has_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = world.boot()
    volumes = [attach(world, uuid), attach(world, uuid)]
    died = dying(monkeypatch, world.driver(HOST), "end_live_migration_at_source")
    migration = world.role.live_migrate(uuid, to=THERE, wait=False)
    assert died.wait(10)
    world.cloud.kill_agent()
    assert world.guests(HOST) == set()
    world.cloud.start_agent()
    world.cloud.settle()
    assert world.status(migration) == "completed" and world.guests(THERE) == {uuid}
    for volume_id in volumes:
        is_on(world, uuid, volume_id, THERE)
