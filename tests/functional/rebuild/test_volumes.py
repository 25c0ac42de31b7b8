"""Rebuilding and evacuating servers that have volumes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from computed import errors, objects
from tests.functional.fleet import HOST
from tests.functional.rebuild.role import RebuildRole

SECOND = "second"
OTHER_IMAGE = "other"


def give_volume(role: RebuildRole, uuid: str, *, root: bool = False, host: str = HOST) -> str:
    """Let a running server have one more volume, or its root disk on one, as an earlier verb left it."""
    service = role.cloud.embedded.volumes
    connector = role.cloud.agents[host].host.driver.volume_connector(None)
    volume = service.add(1)
    attachment = service.attachment_create(None, volume, uuid, connector=connector, mountpoint="/dev/sdb")
    service.attachment_complete(None, attachment.id)
    fields = {
        "destination_type": "volume",
        "source_type": "volume",
        "volume_id": volume,
        "volume_size": 1,
        "attachment_id": attachment.id,
        "connection_info": json.dumps({**attachment.connection_info, "serial": volume}),
        "delete_on_termination": False,
    }
    with role.cloud.embedded.store.transaction() as records:
        rows = records.find("BlockDeviceMapping", instance_uuid=uuid)
        [row] = [row for row in rows if row["boot_index"] == 0]
        if root:
            records.update("BlockDeviceMapping", row, fields)
        else:
            kept = {k: v for k, v in row.items() if k not in ("id", "uuid", "image_id")}
            bus = {"boot_index": None, "device_name": "/dev/sdb", "image_id": None}
            records.insert("BlockDeviceMapping", {**kept, **fields, **bus, "uuid": attachment.id})
    return volume


def attachments(role: RebuildRole, volume: str) -> list[tuple[str, str | None]]:
    """(status, host) of every attachment of a volume."""
    rows = role.cloud.embedded.volumes.attachments_of(volume_id=volume)
    return [(row["status"], row["connector"] and row["connector"]["host"]) for row in rows]


def mapping(role: RebuildRole, volume: str) -> dict[str, Any]:
    [row] = [row for row in role.cloud.rows("BlockDeviceMapping") if row["volume_id"] == volume]
    return row


def is_consistent(role: RebuildRole, volume: str, host: str) -> None:
    """The volume is in use by one host alone, and the mapping knows by which attachment."""
    assert attachments(role, volume) == [("attached", host)]
    [row] = role.cloud.embedded.volumes.attachments_of(volume_id=volume)
    assert mapping(role, volume)["attachment_id"] == row["uuid"]
    assert json.loads(mapping(role, volume)["connection_info"])["data"]["target_host"] == host
    assert role.cloud.embedded.volumes.row(volume)["status"] == "in-use"


def test_a_rebuild_leaves_other_volumes_alone(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    volume = give_volume(role, uuid)
    before = mapping(role, volume)["attachment_id"]
    role.rebuild(uuid)
    assert role.states(uuid) == ("active", None, HOST)
    assert mapping(role, volume)["attachment_id"] == before
    is_consistent(role, volume, HOST)
    assert set(role.guest(uuid).volumes) == {volume}


# The root volume


@pytest.fixture
def other(role: RebuildRole) -> str:
    """Another image."""
    (role.cloud.embedded.images._directory / f"{OTHER_IMAGE}.raw").write_bytes(b"\0" * 4096)
    return str(role.cloud.embedded.images.find(OTHER_IMAGE)["id"])


def report(role: RebuildRole, uuid: str, volume: str, status: str = "completed") -> Callable[[str], None]:
    """A volume service that says at once that the volume was overwritten."""

    def tell(method: str) -> None:
        if method == "reimage":
            event = objects.InstanceExternalEvent(
                instance_uuid=uuid, name="volume-reimaged", status=status, tag=volume, data={}
            )
            role.cloud.rpc.cast(
                "external_instance_event",
                version="6.0",
                topic="compute-alt",
                instances=[role.cloud.instance(uuid)],
                events=[event],
            )

    return tell


def test_the_root_volume_is_overwritten_while_it_is_reserved(role: RebuildRole, other: str) -> None:
    (uuid,) = role.cloud.boot()
    volume, data = give_volume(role, uuid, root=True), give_volume(role, uuid)
    service = role.cloud.embedded.volumes
    seen: list[Any] = []
    tell = report(role, uuid, volume)

    def watch(method: str) -> None:
        if method == "reimage":
            seen.append((attachments(role, volume), role.guest(uuid), role.cloud.row(uuid)["task_state"]))
        tell(method)

    service.on_request = watch
    role.rebuild(uuid, image_ref=other, reimage_boot_volume=True)
    assert role.states(uuid) == ("active", None, HOST)
    assert seen == [([("reserved", None)], None, "rebuild_block_device_mapping")]
    assert service.row(volume)["image_id"] == other
    is_consistent(role, volume, HOST)
    is_consistent(role, data, HOST)
    assert set(role.guest(uuid).volumes) == {volume, data}


@pytest.mark.parametrize("how", ["failed", "late", "refused", "unreachable"])
def test_a_root_volume_that_is_not_overwritten(role: RebuildRole, other: str, how: str) -> None:
    (uuid,) = role.cloud.boot()
    volume, data = give_volume(role, uuid, root=True), give_volume(role, uuid)
    service = role.cloud.embedded.volumes
    if how == "late":
        role.cloud.conf.set_override("reimage_timeout_per_gb", 1)
    elif how == "failed":
        service.on_request = report(role, uuid, volume, "failed")
    else:
        refusal = errors.InvalidInput(reason="no") if how == "refused" else errors.CinderConnectionFailed()
        service.fail("reimage", refusal)
    role.rebuild(uuid, image_ref=other, reimage_boot_volume=True)
    assert role.states(uuid) == ("error", None, HOST)
    assert "root volume" in role.cloud.faults(uuid)[-1]
    assert attachments(role, volume) == [("reserved", None)]
    is_consistent(role, data, HOST)
    # The owner tries again.
    service.on_request = report(role, uuid, volume)
    role.rebuild(uuid, image_ref=other, reimage_boot_volume=True)
    assert role.states(uuid) == ("active", None, HOST)
    is_consistent(role, volume, HOST)


def test_a_reserved_root_volume_is_connected_again_without_overwriting(role: RebuildRole, other: str) -> None:
    (uuid,) = role.cloud.boot()
    volume = give_volume(role, uuid, root=True)
    role.cloud.embedded.volumes.fail("reimage", errors.InvalidInput(reason="no"))
    role.rebuild(uuid, image_ref=other, reimage_boot_volume=True)
    role.rebuild(uuid)
    assert role.states(uuid) == ("active", None, HOST)
    is_consistent(role, volume, HOST)


def test_a_guest_that_cannot_be_made_of_the_new_root_volume(role: RebuildRole, other: str) -> None:
    (uuid,) = role.cloud.boot()
    volume = give_volume(role, uuid, root=True)
    role.cloud.embedded.volumes.on_request = report(role, uuid, volume)
    role.cloud.conf.set_override("fail", ["spawn:*:NovaException:1"], "fake")
    role.rebuild(uuid, image_ref=other, reimage_boot_volume=True)
    assert role.states(uuid) == ("error", None, HOST)
    is_consistent(role, volume, HOST)
    role.rebuild(uuid)
    assert role.states(uuid) == ("active", None, HOST)
    is_consistent(role, volume, HOST)


def test_the_root_volume_stays_as_it_is_unless_that_is_asked_for(role: RebuildRole, other: str) -> None:
    (uuid,) = role.cloud.boot()
    volume = give_volume(role, uuid, root=True)
    role.rebuild(uuid, image_ref=other)
    assert role.states(uuid) == ("active", None, HOST)
    assert role.cloud.embedded.volumes.requests["reimage"] == 0
    is_consistent(role, volume, HOST)


# Evacuation


def test_volumes_go_along(moves: RebuildRole) -> None:
    (uuid,) = moves.cloud.boot(host=HOST)
    volumes = [give_volume(moves, uuid, root=True), give_volume(moves, uuid)]
    moves.evacuate(uuid)
    assert moves.states(uuid) == ("active", None, SECOND)
    for volume in volumes:
        is_consistent(moves, volume, SECOND)
    assert set(moves.guest(uuid, SECOND).volumes) == set(volumes)


@pytest.mark.parametrize("remote", ["attachment_create", "attachment_complete"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_volume_service_that_fails_leaves_the_volumes_where_they_were(
    moves: RebuildRole, remote: str, after: int
) -> None:
    (uuid,) = moves.cloud.boot(host=HOST)
    volumes = [give_volume(moves, uuid, root=True), give_volume(moves, uuid)]
    moves.cloud.embedded.volumes.fail(remote, errors.CinderConnectionFailed(), after=after)
    migration = moves.evacuate(uuid)
    assert moves.states(uuid) == ("error", None, HOST)
    assert moves.migration(migration).status == "failed"
    assert moves.guest(uuid, SECOND) is None
    for volume in volumes:
        is_consistent(moves, volume, HOST)
    assert set(moves.holds(uuid)) == {HOST}


def test_an_old_style_volume_stays_the_servers_beside_others(moves: RebuildRole) -> None:
    (uuid,) = moves.cloud.boot(host=HOST)
    old, new = give_volume(moves, uuid), give_volume(moves, uuid, root=True)
    with moves.cloud.embedded.store.transaction() as records:
        # The volume service has an attachment of these too, which no mapping knows by its id.
        row = records.first("BlockDeviceMapping", instance_uuid=uuid, volume_id=old)
        assert row is not None
        records.update("BlockDeviceMapping", row, {"attachment_id": None})
    moves.evacuate(uuid)
    assert moves.states(uuid) == ("active", None, SECOND), moves.cloud.faults(uuid)
    assert moves.cloud.embedded.volumes.row(old)["status"] == "in-use"
    is_consistent(moves, new, SECOND)


def test_what_an_interrupted_evacuation_left_at_the_volume_service_goes(moves: RebuildRole) -> None:
    (uuid,) = moves.cloud.boot(host=HOST)
    volume = give_volume(moves, uuid)
    moves.cloud.embedded.volumes.attachment_create(None, volume, uuid, connector={"host": "third"})
    moves.evacuate(uuid)
    is_consistent(moves, volume, SECOND)


def test_a_host_that_dies_when_the_server_has_come_lets_go_of_the_old_attachments_later(
    moves: RebuildRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    (uuid,) = moves.cloud.boot(host=HOST)
    volume = give_volume(moves, uuid)
    second, died = moves.cloud.agents[SECOND], threading.Event()

    def die(*given: Any) -> None:
        died.set()
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(second.host.tracker, "settle_move", die)
        migration = moves.evacuate(uuid, wait=False)
        assert died.wait(10)
    assert moves.states(uuid) == ("active", None, SECOND)
    assert len(attachments(moves, volume)) == 2
    second.stop()
    second.start()
    moves.cloud.settle()
    is_consistent(moves, volume, SECOND)
    assert moves.migration(migration).status == "done"


def test_old_attachments_that_cannot_be_deleted_do_not_spoil_it(moves: RebuildRole) -> None:
    (uuid,) = moves.cloud.boot(host=HOST)
    volume = give_volume(moves, uuid)
    moves.cloud.embedded.volumes.fail("attachment_delete", errors.CinderConnectionFailed())
    migration = moves.evacuate(uuid)
    assert moves.states(uuid) == ("active", None, SECOND)
    assert moves.migration(migration).status == "done"
    assert ("attached", SECOND) in attachments(moves, volume)
