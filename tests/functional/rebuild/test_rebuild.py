"""Rebuilding a server where it lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.embedded.servers import user_context
from tests.functional.fleet import HOST
from tests.functional.rebuild.role import RebuildRole


def test_the_guest_is_made_anew_and_the_rest_stays(role: RebuildRole, listen: Callable[..., Any]) -> None:
    (uuid,) = role.cloud.boot()
    notices = listen(role.cloud.host)
    role.cloud.verb(uuid, "reboot")
    assert role.guest(uuid).boots == 2
    ports, held = role.cloud.rows("Port", instance_uuid=uuid), role.holds(uuid)
    notices.told.clear()
    role.rebuild(uuid)
    assert role.states(uuid) == ("active", None, HOST)
    assert role.guest(uuid).boots == 1
    assert role.cloud.rows("Port", instance_uuid=uuid) == ports
    assert role.holds(uuid) == held
    assert role.claims(HOST, uuid) == 1
    assert [row[1:] for row in notices.told] == [
        ("exists", "active", "rebuilding"),
        ("rebuild.start", "active", "rebuilding"),
        ("rebuild.end", "active", None),
    ]
    assert role.cloud.events(uuid)[-1] == ("compute_rebuild_instance", "Success")
    assert role.cloud.faults(uuid) == []


def test_what_is_told_names_the_image_before_and_the_image_now(
    role: RebuildRole, listen: Callable[..., Any]
) -> None:
    (uuid,) = role.cloud.boot()
    (role.cloud.embedded.images._directory / "other.raw").write_bytes(b"\0" * 8192)
    other = role.cloud.embedded.images.find("other")["id"]
    notices = listen(role.cloud.host)
    seen = []
    spawn = role.cloud.host.driver.spawn
    role.cloud.host.driver.spawn = lambda context, spec: (seen.append(spec), spawn(context, spec))[1]  # type: ignore[method-assign]
    role.rebuild(uuid, image_ref=other, injected_files=[["/a", "aGVsbG8="]])
    [spec] = seen
    assert (spec.image_meta.id, spec.admin_password) == (other, "new secret")
    assert spec.injected_files == (("/a", b"hello"),)
    exists, start, end = notices.details
    assert exists["before"].image_ref == role.image()["id"]
    assert start["extra"] == end["extra"] == {"image_name": "other"}
    assert "secret" not in repr(spec)


def test_a_stopped_server_is_stopped_again(role: RebuildRole, listen: Callable[..., Any]) -> None:
    (uuid,) = role.cloud.boot()
    role.cloud.verb(uuid, "stop")
    notices = listen(role.cloud.host)
    role.rebuild(uuid)
    assert role.states(uuid) == ("stopped", None, HOST)
    assert notices.names() == [
        "exists", "rebuild.start", "power_off.start", "power_off.end", "rebuild.end"
    ]  # fmt: skip
    assert ("compute_stop_instance", "Success") in role.cloud.events(uuid)[-2:]


def test_a_server_in_error_that_has_no_guest_is_mended(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    role.cloud.conf.set_override("fail", ["spawn:*:NovaException:1"], "fake")
    role.rebuild(uuid)
    assert role.states(uuid) == ("error", None, HOST)
    assert role.guest(uuid) is None
    role.rebuild(uuid)
    assert role.states(uuid) == ("active", None, HOST)
    assert role.guest(uuid).boots == 1


@pytest.mark.parametrize("operation", ["power_off", "destroy", "spawn"])
def test_a_failure_is_an_error_with_a_fault_and_keeps_what_is_the_servers(
    role: RebuildRole, listen: Callable[..., Any], operation: str
) -> None:
    (uuid,) = role.cloud.boot()
    ports, held = role.cloud.rows("Port", instance_uuid=uuid), role.holds(uuid)
    notices = listen(role.cloud.host)
    role.cloud.conf.set_override("fail", [f"{operation}:*:NovaException"], "fake")
    role.rebuild(uuid)
    assert role.states(uuid) == ("error", None, HOST)
    assert "ordered" in role.cloud.faults(uuid)[-1]
    assert role.cloud.events(uuid)[-1] == ("compute_rebuild_instance", "Error")
    assert notices.names() == ["exists", "rebuild.start", "rebuild.error", "exception rebuild_instance"]
    assert role.cloud.rows("Port", instance_uuid=uuid) == ports
    assert (role.holds(uuid), role.claims(HOST, uuid)) == (held, 1)


def test_old_disks_that_cannot_be_removed_are_not_those_of_the_new_guest(
    role: RebuildRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    (uuid,) = role.cloud.boot()
    store: Any = role.cloud.host.driver._store  # type: ignore[attr-defined]
    remove = store.remove
    with monkeypatch.context() as patch:
        patch.setattr(store, "remove", lambda uuid, *, keep_disks: remove(uuid, keep_disks=True))
        role.rebuild(uuid)
    assert role.states(uuid) == ("error", None, HOST)
    assert role.cloud.faults(uuid) != []
    role.rebuild(uuid)
    assert role.states(uuid) == ("active", None, HOST)


def test_ephemeral_disks_cannot_be_kept(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    role.rebuild(uuid, preserve_ephemeral=True)
    assert role.states(uuid) == ("error", None, HOST)
    assert "ephemeral" in role.cloud.faults(uuid)[-1]
    assert role.guest(uuid).boots == 1


def test_an_image_that_is_not_there_changes_nothing(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    role.rebuild(uuid, image_ref="11111111-2222-4333-8444-555555555555")
    assert role.states(uuid) == ("active", None, HOST)
    assert "11111111" in role.cloud.faults(uuid)[-1]
    assert role.guest(uuid).boots == 1


def test_an_order_that_comes_twice_is_done_once(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    role.rebuild(uuid)
    guest = role.guest(uuid)
    role.again()
    assert role.guest(uuid) is guest
    assert role.states(uuid) == ("active", None, HOST)


def test_two_orders_at_once_are_done_once(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    role.cloud.conf.set_override("delays", {"spawn": "0.3"}, "fake")
    spawned = []
    spawn = role.cloud.host.driver.spawn
    role.cloud.host.driver.spawn = lambda context, spec: (spawned.append(1), spawn(context, spec))[1]  # type: ignore[method-assign]
    role.rebuild(uuid, wait=False)
    role.again()
    role.rest(uuid)
    assert (role.states(uuid), len(spawned)) == (("active", None, HOST), 1)


def test_an_order_after_the_delete_does_nothing(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    role.rebuild(uuid)
    role.cloud.delete(uuid)
    role.again()
    assert role.guest(uuid) is None
    assert role.claims(HOST, uuid) == 0


def test_a_server_of_another_host_is_not_touched(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    role.cloud.set_fields(uuid, host="elsewhere", task_state="rebuilding")
    role._cast(user_context(), uuid, HOST, False, image_ref=role.image()["id"])
    role.again()
    assert role.states(uuid) == ("active", "rebuilding", "elsewhere")
    assert role.guest(uuid).boots == 1


def test_a_delete_in_the_middle_wins(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    role.cloud.trouble(
        "Instance", "save", lambda proceed: (role.cloud.delete(uuid, wait=False), proceed())[1], nth=2
    )
    role.rebuild(uuid, wait=False)
    role.cloud.wait(lambda: role.cloud.row(uuid)["deleted"], "the delete")
    role.cloud.settle()
    assert role.guest(uuid) is None
    assert role.cloud.rows("Port", instance_uuid=uuid) == []
    assert (role.holds(uuid), role.claims(HOST, uuid)) == ({}, 0)
    assert role.cloud.faults(uuid) == []


def test_a_record_that_vanishes_leaves_no_guest(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    gone = errors.InstanceNotFound(instance_id=uuid)

    def vanish(proceed: Callable[[], Any]) -> Any:
        role.cloud.set_fields(uuid, deleted=1)
        raise gone

    vanished = role.cloud.trouble("Instance", "save", vanish, nth=3)
    role.rebuild(uuid, wait=False)
    assert vanished.done.wait(10)
    role.cloud.settle()
    assert role.guest(uuid) is None


@pytest.mark.parametrize("before", [False, True])
def test_the_host_forces_config_drives_on_new_servers_only(role: RebuildRole, before: bool) -> None:
    role.cloud.conf.set_override("force_config_drive", before)
    (uuid,) = role.cloud.boot()
    assert bool(role.cloud.row(uuid)["config_drive"]) is before
    role.cloud.conf.set_override("force_config_drive", True)
    role.rebuild(uuid)
    assert role.states(uuid) == ("active", None, HOST)
    assert bool(role.cloud.row(uuid)["config_drive"]) is before


def test_what_it_costs(role: RebuildRole) -> None:
    (uuid,) = role.cloud.boot()
    with role.cloud.counting() as counts:
        role.rebuild(uuid)
    assert counts.conductor_calls <= 5, counts.conductor
    assert counts.placement_requests <= 1, counts.placement
