"""Snapshots, backups and quiescing: states, images, notifications, and what is left after failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.embedded.flavors import find_flavor
from computed.embedded.new_server import NewServer
from computed.embedded.servers import user_context
from computed.states import PowerState
from tests.functional.images.owner import Owner

EVENT = "compute_snapshot_instance"


def task_states(owner: Owner, uuid: str) -> list[str | None]:
    """Fills with the task states that are saved from now on."""
    seen: list[str | None] = []

    def note(proceed: Callable[[], Any]) -> Any:
        answer = proceed()
        seen.append(owner.cloud.row(uuid)["task_state"])
        return answer

    owner.cloud.trouble("Instance", "save", note, times=100)
    return seen


def test_a_snapshot_fills_the_image_with_the_disk(owner: Owner) -> None:
    uuid = owner.server()
    seen = task_states(owner, uuid)
    image_id = owner.snapshot(uuid)
    image = owner.images.find(image_id)
    assert (image["status"], image["disk_format"], image["container_format"]) == ("active", "raw", "bare")
    assert image["properties"]["image_state"] == "available"
    assert image["properties"]["instance_uuid"] == uuid
    assert b"".join(owner.images.download(None, image_id)).startswith(f"FAKE DISK {uuid} BOOT 1".encode())
    assert owner.states(uuid) == ("active", None)
    assert seen == ["image_uploading", None]
    assert owner.cloud.events(uuid)[-1] == (EVENT, "Success")
    assert owner.guest(uuid).power_state == PowerState.RUNNING


def test_a_snapshot_is_told_with_the_states_that_stock_tells(owner: Owner) -> None:
    uuid = owner.server()
    image_id = owner.snapshot(uuid)
    assert owner.told.rows == [
        ("snapshot.start", "active", "image_snapshot"),
        ("snapshot.end", "active", None),
    ]
    assert [told["payload"] for told in owner.told.details] == [{"snapshot_image_id": image_id}] * 2


def test_a_server_is_built_from_a_snapshot(owner: Owner) -> None:
    image_id = owner.snapshot(owner.server())
    order = NewServer("copy", find_flavor("m1.nano"), owner.images.find(image_id), ("auto",))
    uuid = owner.cloud.embedded.servers.create(user_context(), order)
    owner.cloud.wait_for(uuid, vm_state="active")
    assert owner.guest(uuid).image == image_id


def test_a_stopped_server_can_be_snapshot(owner: Owner) -> None:
    uuid = owner.server()
    owner.cloud.verb(uuid, "stop")
    assert owner.status(owner.snapshot(uuid)) == "active"
    assert owner.states(uuid) == ("stopped", None)


@pytest.mark.usefixtures("extracting_first")
def test_a_driver_that_extracts_first_walks_every_state(owner: Owner) -> None:
    uuid = owner.server()
    seen = task_states(owner, uuid)
    assert owner.status(owner.snapshot(uuid)) == "active"
    assert seen == ["image_snapshot", "image_pending_upload", "image_uploading", None]


def test_a_snapshot_that_fails_leaves_no_image(owner: Owner) -> None:
    uuid = owner.server()
    owner.fail("snapshot:*:NovaException")
    image_id = owner.snapshot(uuid)
    assert owner.status(image_id) is None
    assert owner.states(uuid) == ("active", None)
    assert owner.cloud.faults(uuid) == ["snapshot fails as ordered by [fake]fail"]
    assert owner.cloud.events(uuid)[-1] == (EVENT, "Error")
    assert owner.told.names == ["snapshot.start", "exception snapshot_instance"]


@pytest.mark.parametrize("method", ["update", "upload"])
def test_an_image_service_that_is_away(owner: Owner, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def away(*arguments: Any) -> None:
        raise errors.GlanceConnectionFailed(server="glance", reason="HTTP 503")

    uuid = owner.server()
    monkeypatch.setattr(owner.images, method, away)
    image_id = owner.snapshot(uuid)
    assert owner.status(image_id) is None
    assert owner.states(uuid) == ("active", None)
    assert owner.cloud.faults(uuid) == ["Glance at glance cannot be reached: HTTP 503"]


def test_an_image_that_is_deleted_meanwhile(owner: Owner) -> None:
    uuid = owner.server()
    image_id = owner.image(uuid)
    owner.images.made.delete(image_id)
    owner.snapshot(uuid, image_id)
    assert owner.states(uuid) == ("active", None)
    assert owner.cloud.faults(uuid) == []
    assert owner.told.names == ["snapshot.start"]


def test_a_guest_that_is_gone(owner: Owner) -> None:
    uuid = owner.server()
    owner.cloud.host.driver._store.remove(uuid, keep_disks=False)  # type: ignore[attr-defined]
    image_id = owner.snapshot(uuid)
    assert owner.status(image_id) is None
    assert owner.states(uuid) == ("active", None)


@pytest.mark.parametrize("nth", [1, 2])
def test_a_deletion_that_begins_meanwhile_goes_before(owner: Owner, nth: int) -> None:
    uuid = owner.server()

    def delete_first(proceed: Callable[[], Any]) -> Any:
        owner.cloud.set_fields(uuid, task_state="deleting")
        return proceed()

    owner.cloud.trouble("Instance", "save", delete_first, nth=nth)
    image_id = owner.snapshot(uuid)
    assert owner.states(uuid) == ("active", "deleting")
    # What was whole when the deletion began is the owner's.
    assert owner.status(image_id) == (None if nth == 1 else "active")
    assert owner.cloud.faults(uuid) == []


def test_a_snapshot_in_the_wrong_state_changes_nothing(owner: Owner) -> None:
    uuid = owner.server()
    image_id = owner.image(uuid)
    context = owner.begin(uuid, "createImage", task_state="rebooting")
    owner.cast("snapshot_instance", context, image_id=image_id, instance=owner.cloud.instance(uuid))
    assert owner.states(uuid) == ("active", "rebooting")
    assert owner.status(image_id) is None
    assert owner.cloud.events(uuid)[-1] == (EVENT, "Error")


def test_an_order_that_comes_twice_leaves_the_image(owner: Owner) -> None:
    uuid = owner.server()
    image_id = owner.image(uuid)
    context = owner.begin(uuid, "createImage", task_state="image_snapshot_pending")
    order = {"image_id": image_id, "instance": owner.cloud.instance(uuid)}
    owner.cast("snapshot_instance", context, **order)
    owner.cast("snapshot_instance", context, **order)
    assert owner.status(image_id) == "active"
    assert owner.states(uuid) == ("active", None)


def test_an_order_that_comes_twice_at_once_leaves_the_image(owner: Owner) -> None:
    uuid = owner.server()
    owner.cloud.conf.set_override("delays", {"snapshot": "0.3"}, group="fake")
    image_id = owner.image(uuid)
    context = owner.begin(uuid, "createImage", task_state="image_snapshot_pending")
    order = {"image_id": image_id, "instance": owner.cloud.instance(uuid)}
    owner.cloud.rpc.cast("snapshot_instance", context=context, **order)
    owner.cast("snapshot_instance", context, **order)
    assert owner.status(image_id) == "active"
    assert owner.states(uuid) == ("active", None)


def test_an_order_that_comes_after_the_deletion(owner: Owner) -> None:
    uuid = owner.server()
    image_id = owner.image(uuid)
    context = owner.begin(uuid, "createImage", task_state="image_snapshot_pending")
    instance = owner.cloud.instance(uuid)
    owner.cloud.delete(uuid)
    owner.cast("snapshot_instance", context, image_id=image_id, instance=instance)
    assert owner.status(image_id) is None
    assert uuid not in owner.cloud.uuids()


# Backups


def test_backups_rotate(owner: Owner) -> None:
    uuid = owner.server()
    other = owner.server(name="other")
    weekly = owner.backup(uuid, rotation=1, kind="weekly")
    others = owner.backup(other, rotation=1)
    daily = [owner.backup(uuid, rotation=2) for _ in range(3)]
    assert [owner.status(image_id) for image_id in daily] == [None, "active", "active"]
    assert owner.status(weekly) == owner.status(others) == "active"
    assert owner.states(uuid) == ("active", None)
    assert owner.cloud.events(uuid)[-1] == ("compute_backup_instance", "Success")
    assert owner.told.rows[-2:] == [
        ("snapshot.start", "active", "image_backup"),
        ("snapshot.end", "active", None),
    ]


def test_a_rotation_of_none_keeps_none(owner: Owner) -> None:
    uuid = owner.server()
    assert owner.status(owner.backup(uuid, rotation=0)) is None


def test_a_backup_that_cannot_be_rotated_away_does_not_fail_the_new_one(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_use(context: Any, image_id: str) -> None:
        raise errors.ImageDeleteConflict(reason=image_id)

    uuid = owner.server()
    old = owner.backup(uuid, rotation=1)
    monkeypatch.setattr(owner.images, "delete", in_use)
    new = owner.backup(uuid, rotation=1)
    assert owner.status(old) == owner.status(new) == "active"
    assert owner.cloud.events(uuid)[-1] == ("compute_backup_instance", "Success")


def test_a_backup_that_fails_leaves_no_image_and_rotates_nothing(owner: Owner) -> None:
    uuid = owner.server()
    old = owner.backup(uuid, rotation=1)
    owner.fail("snapshot:*:NovaException")
    new = owner.backup(uuid, rotation=1)
    assert (owner.status(old), owner.status(new)) == ("active", None)
    assert owner.states(uuid) == ("active", None)
    assert owner.cloud.events(uuid)[-1] == ("compute_backup_instance", "Error")


def test_as_many_snapshots_at_once_as_the_operator_says(make_cloud: Any) -> None:
    owner = Owner(make_cloud({"max_concurrent_snapshots": 1, "fake.delays": {"snapshot": "0.2"}}))
    uuids = [owner.server(name=name) for name in ("a", "b")]
    running: list[str] = []
    most: list[int] = []
    driver = owner.cloud.host.driver
    plain = driver.snapshot

    def watched(context: Any, instance: Any, target: Any) -> None:
        running.append(instance.uuid)
        most.append(len(running))
        plain(context, instance, target)
        running.remove(instance.uuid)

    object.__setattr__(driver, "snapshot", watched)
    for uuid in uuids:
        context = owner.begin(uuid, "createImage", task_state="image_snapshot_pending")
        order = {"image_id": owner.image(uuid), "instance": owner.cloud.instance(uuid)}
        owner.cloud.rpc.cast("snapshot_instance", context=context, **order)
    owner.settle()
    assert most == [1, 1]


# Quiescing


def test_file_systems_are_held_still_and_let_go(owner: Owner) -> None:
    uuid = owner.server()
    owner.cloud.rpc.call("quiesce_instance", instance=owner.cloud.instance(uuid))
    assert owner.guest(uuid).quiesced
    owner.cast("unquiesce_instance", owner.begin(uuid, "createImage"), instance=owner.cloud.instance(uuid))
    assert not owner.guest(uuid).quiesced
    assert owner.states(uuid) == ("active", None)


@pytest.mark.parametrize("error", ["InstanceQuiesceNotSupported", "QemuGuestAgentNotEnabled"])
def test_a_guest_that_cannot_be_held_still_says_so(owner: Owner, error: str) -> None:
    uuid = owner.server()
    owner.fail(f"quiesce:*:{error}")
    with pytest.raises(getattr(errors, error)):
        owner.cloud.rpc.call("quiesce_instance", instance=owner.cloud.instance(uuid))
    assert owner.cloud.faults(uuid) == []
