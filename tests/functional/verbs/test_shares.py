"""File shares: who may use them, mounting with the guest, moves, failures, stale rules."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable
from typing import Any

import pytest

from computed import errors, objects
from computed.embedded.conductor.primitives import envelope
from computed.embedded.servers import user_context
from computed.lib.undo import UndoStack
from computed.states import Action, MigrationType
from computed.steps import shares
from computed.virt.fake.migration import FakeMigration
from tests.functional.cloud import Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.control_plane import ControlPlane
from tests.functional.notices import TOLD, Notices
from tests.functional.resize.test_restart import die_in, restart
from tests.functional.verbs.test_interfaces import cast

ADDRESS = "192.0.2.9"
HERE = {"my_shared_fs_storage_ip": ADDRESS}
NFS_HERE = f"ip {ADDRESS}"


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    return make_cloud({**HERE, **TOLD, "manila.share_apply_policy_timeout": 1})


@pytest.fixture
def off(cloud: Cloud) -> str:
    """A stopped server: the API lets shares only come and go while it is off."""
    (uuid,) = cloud.boot()
    cloud.verb(uuid, "stop")
    return uuid


def mapping(cloud: Cloud, uuid: str, share_id: str, **fields: Any) -> Any:
    """The mapping as the API records it before it sends the cast."""
    row = {
        "uuid": str(uuids.uuid4()),
        "instance_uuid": uuid,
        "share_id": share_id,
        "status": "attaching",
        "tag": "data",
        "export_location": "192.0.2.1:/exports/data",
        "share_proto": "NFS",
        **fields,
    }
    with cloud.embedded.store.transaction() as records:
        return as_object(records.insert("ShareMapping", row))


def as_object(row: dict[str, Any]) -> Any:
    context = user_context()
    return objects.ShareMapping.obj_from_primitive(envelope("ShareMapping", row), context)


def send(cloud: Cloud, method: str, uuid: str, sent: Any) -> None:
    context, plane = user_context(), ControlPlane(cloud)
    plane.begin(context, uuid, Action.ATTACH_SHARE if method == "allow_share" else Action.DETACH_SHARE, None)
    instance = plane.instance(uuid, context)
    cast(cloud, method, context=context, instance=instance, share_mapping=sent)


def allow(cloud: Cloud, uuid: str, share_id: str, **fields: Any) -> Any:
    sent = mapping(cloud, uuid, share_id, **fields)
    send(cloud, "allow_share", uuid, sent)
    return sent


def deny(cloud: Cloud, uuid: str) -> None:
    with cloud.embedded.store.transaction() as records:
        row = records.first("ShareMapping", instance_uuid=uuid)
        assert row is not None
        row = records.update("ShareMapping", row, {"status": "detaching"})
    send(cloud, "deny_share", uuid, as_object(row))


def statuses(cloud: Cloud, uuid: str) -> list[str]:
    return [row["status"] for row in cloud.rows("ShareMapping", instance_uuid=uuid)]


def mounted(cloud: Cloud) -> set[tuple[str, str]]:
    return set(cloud.host.driver._mounts)


def test_a_share_comes_and_goes(cloud: Cloud, off: str) -> None:
    service, notices = cloud.embedded.shares, Notices(cloud.bus)
    share_id = service.add()
    allow(cloud, off, share_id)
    assert (statuses(cloud, off), service.allowed(share_id)) == (["inactive"], [NFS_HERE])
    assert mounted(cloud) == set()
    deny(cloud, off)
    assert (statuses(cloud, off), service.allowed(share_id)) == ([], [])
    assert cloud.events(off)[-2:] == [("compute_allow_share", "Success"), ("compute_deny_share", "Success")]
    assert notices.names(off) == [
        "instance.share_attach.start",
        "instance.share_attach.end",
        "instance.share_detach.start",
        "instance.share_detach.end",
    ]
    assert {notice.publisher for notice in notices.all()} == {f"nova-api:{cloud.host.name}"}
    assert {notice.payload["share_id"] for notice in notices.all()} == {share_id}
    assert cloud.faults(off) == []


def test_a_share_is_mounted_as_long_as_its_guest_is_on(cloud: Cloud, off: str) -> None:
    share_id = cloud.embedded.shares.add()
    allow(cloud, off, share_id)
    cloud.verb(off, "start")
    assert (statuses(cloud, off), mounted(cloud)) == (["active"], {(share_id, off)})
    cloud.verb(off, "reboot", hard=True)
    assert (statuses(cloud, off), mounted(cloud)) == (["active"], {(share_id, off)})
    cloud.verb(off, "stop")
    assert (statuses(cloud, off), mounted(cloud)) == (["inactive"], set())
    assert cloud.embedded.shares.allowed(share_id) == [NFS_HERE]


def test_a_hard_reboot_mounts_what_a_restart_of_the_host_has_lost(cloud: Cloud, off: str) -> None:
    share_id = cloud.embedded.shares.add()
    allow(cloud, off, share_id)
    cloud.verb(off, "start")
    cloud.host.driver._mounts.clear()
    cloud.verb(off, "reboot", hard=True)
    assert mounted(cloud) == {(share_id, off)}


def test_cephfs_has_a_name_and_a_secret_for_each_server(cloud: Cloud, off: str) -> None:
    seen: list[Any] = []
    driver = cloud.host.driver
    real = driver.mount_share
    driver.mount_share = lambda context, instance, share: seen.append(share) or real(context, instance, share)
    share_id = cloud.embedded.shares.add()
    allow(cloud, off, share_id, share_proto="CEPHFS")
    name = shares.cephfs_name(off, cloud.host.name)
    assert name.startswith("nova-") and len(name) == 21
    assert cloud.embedded.shares.allowed(share_id) == [f"cephx {name}"]
    cloud.verb(off, "start")
    (share,) = seen
    assert (share.access_to, bool(share.access_key)) == (name, True)
    assert share.access_key not in str(cloud.rows("ShareMapping", instance_uuid=off))


def test_an_order_that_comes_twice_leaves_a_share_in_use_active(cloud: Cloud, off: str) -> None:
    share_id = cloud.embedded.shares.add()
    sent = allow(cloud, off, share_id)
    cloud.verb(off, "start")
    notices = Notices(cloud.bus)
    send(cloud, "allow_share", off, sent)
    assert (statuses(cloud, off), mounted(cloud)) == (["active"], {(share_id, off)})
    assert cloud.events(off)[-1] == ("compute_allow_share", "Success")
    assert notices.names(off) == []


def test_a_detachment_that_comes_twice_leaves_a_share_that_is_back(cloud: Cloud, off: str) -> None:
    share_id = cloud.embedded.shares.add()
    late = allow(cloud, off, share_id)
    late.status = "detaching"
    deny(cloud, off)
    allow(cloud, off, share_id)
    send(cloud, "deny_share", off, late)
    assert (statuses(cloud, off), cloud.embedded.shares.allowed(share_id)) == (["inactive"], [NFS_HERE])


def test_a_server_that_goes_takes_its_access_along(cloud: Cloud, off: str) -> None:
    share_id = cloud.embedded.shares.add()
    allow(cloud, off, share_id)
    cloud.verb(off, "start")
    cloud.delete(off)
    assert (statuses(cloud, off), mounted(cloud)) == ([], set())
    assert cloud.embedded.shares.allowed(share_id) == []


def test_one_rule_serves_all_nfs_mounts_of_a_host(cloud: Cloud, off: str) -> None:
    (other,) = cloud.boot()
    cloud.verb(other, "stop")
    service = cloud.embedded.shares
    share_id = service.add()
    allow(cloud, off, share_id)
    allow(cloud, other, share_id)
    assert service.by_method["allow"] == 1
    deny(cloud, off)
    assert (statuses(cloud, off), service.allowed(share_id)) == ([], [NFS_HERE])
    cloud.delete(other)
    assert service.allowed(share_id) == []


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("allow", errors.ShareAccessGrantError(share_id="s", reason="full")),
        ("rules", errors.ManilaConnectionFailed(reason="away")),
        ("rules", errors.ShareNotFound(share_id="s")),
        ("allow", errors.Forbidden("no")),
    ],
)
def test_a_share_that_cannot_be_had_is_in_error(
    cloud: Cloud, off: str, method: str, error: Exception
) -> None:
    notices = Notices(cloud.bus)
    share_id = cloud.embedded.shares.add()
    cloud.embedded.shares.fail(method, error)
    allow(cloud, off, share_id)
    assert (statuses(cloud, off), cloud.embedded.shares.allowed(share_id)) == (["error"], [])
    assert cloud.events(off)[-1] == ("compute_allow_share", "Error")
    assert len(cloud.faults(off)) == 1
    assert notices.names(off)[:2] == ["instance.share_attach.start", "instance.share_attach.error"]
    assert {notice.publisher for notice in notices.all()[:2]} == {f"nova-api:{cloud.host.name}"}
    assert cloud.row(off)["vm_state"] == "stopped"
    deny(cloud, off)
    assert statuses(cloud, off) == []


def test_a_rule_that_is_never_applied_is_an_error(cloud: Cloud, off: str) -> None:
    cloud.embedded.shares.new_state = "applying"
    allow(cloud, off, cloud.embedded.shares.add())
    assert statuses(cloud, off) == ["error"]


def test_a_protocol_that_nobody_speaks_is_an_error(cloud: Cloud, off: str) -> None:
    sent = mapping(cloud, off, cloud.embedded.shares.add())
    object.__setattr__(sent, "_obj_share_proto", "SMB")
    with pytest.raises(errors.ShareProtocolNotSupported):
        shares.set_access(cloud.host, sent)


def test_a_driver_without_shares_says_so(cloud: Cloud, off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    can = {**cloud.host.driver.capabilities, "supports_virtio_fs": False}
    monkeypatch.setattr(type(cloud.host.driver), "capabilities", can)
    share_id = cloud.embedded.shares.add()
    allow(cloud, off, share_id)
    assert (statuses(cloud, off), cloud.embedded.shares.allowed(share_id)) == (["error"], [])


@pytest.mark.parametrize(
    ("method", "error"),
    [("deny", errors.ShareAccessRemovalError(share_id="s", reason="locked")),
     ("rules", errors.ManilaConnectionFailed(reason="away"))],
)  # fmt: skip
def test_a_share_that_cannot_be_given_up_is_in_error_and_may_be_tried_again(
    cloud: Cloud, off: str, method: str, error: Exception
) -> None:
    share_id = cloud.embedded.shares.add()
    allow(cloud, off, share_id)
    notices = Notices(cloud.bus)
    cloud.embedded.shares.fail(method, error)
    deny(cloud, off)
    assert (statuses(cloud, off), cloud.embedded.shares.allowed(share_id)) == (["error"], [NFS_HERE])
    assert notices.names(off)[:2] == ["instance.share_detach.start", "instance.share_detach.error"]
    deny(cloud, off)
    assert (statuses(cloud, off), cloud.embedded.shares.allowed(share_id)) == ([], [])


@pytest.mark.parametrize(
    "error", [errors.ShareNotFound(share_id="s"), errors.ShareAccessNotFound(share_id="s")]
)
def test_what_is_gone_is_given_up(cloud: Cloud, off: str, error: Exception) -> None:
    allow(cloud, off, cloud.embedded.shares.add())
    cloud.embedded.shares.fail("rules", error)
    deny(cloud, off)
    assert statuses(cloud, off) == []
    assert cloud.events(off)[-1] == ("compute_deny_share", "Success")


def test_a_guest_whose_share_cannot_be_mounted_does_not_start(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud({**HERE, "fake.fail": ["mount_share:*:ShareMountError:1"]})
    (uuid,) = cloud.boot()
    cloud.verb(uuid, "stop")
    allow(cloud, uuid, cloud.embedded.shares.add())
    cloud.verb(uuid, "start")
    assert cloud.row(uuid)["vm_state"] == "error"
    assert (statuses(cloud, uuid), mounted(cloud)) == (["inactive"], set())


def test_a_share_in_between_stops_no_guest(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    mapping(cloud, uuid, cloud.embedded.shares.add())
    cloud.verb(uuid, "stop")
    assert (cloud.row(uuid)["vm_state"], statuses(cloud, uuid)) == ("error", ["attaching"])
    assert "unexpected status" in cloud.faults(uuid)[0]


def test_a_delete_goes_on_when_manila_is_away(cloud: Cloud, off: str) -> None:
    share_id = cloud.embedded.shares.add()
    allow(cloud, off, share_id)
    cloud.embedded.shares.fail("deny", errors.ManilaConnectionFailed(reason="away"))
    cloud.delete(off)
    assert cloud.embedded.shares.allowed(share_id) == [NFS_HERE]


def test_a_host_without_a_share_service_asks_nobody(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud()
    (uuid,) = cloud.boot()
    with cloud.counting() as counts:
        for verb in ("stop", "start", "reboot"):
            cloud.verb(uuid, verb)
        cloud.run_periodic("_reconcile_stale_share_access")
        cloud.delete(uuid)
    assert not [call for call in counts.conductor if call[0].startswith("ShareMapping")]


# Moves


def test_a_move_brings_the_access_along(make_pair: Callable[..., Cloud]) -> None:
    pair = make_pair(HERE, second={"my_shared_fs_storage_ip": "192.0.2.10"})
    (uuid,) = pair.boot(host=pair.host.name)
    pair.verb(uuid, "stop")
    service, second = pair.embedded.shares, pair.agents["second"].host
    share_id = service.add()
    allow(pair, uuid, share_id)
    plane = ControlPlane(pair)
    moved = plane.make_migration(uuid, MigrationType.MIGRATION, status="finished", dest_compute="second")
    context = user_context()
    instance, migration = plane.instance(uuid, context), plane.migration(moved)
    undo = UndoStack()
    shares.move_here(second, context, instance, undo)
    assert second.driver._mounts == {(share_id, uuid)}
    assert sorted(service.allowed(share_id)) == ["ip 192.0.2.10", NFS_HERE]
    undo.rollback()
    assert second.driver._mounts == set()
    pair.set_fields(uuid, host="second")
    shares.leave(pair.host, context, instance, migration)
    assert service.allowed(share_id) == ["ip 192.0.2.10"]


def test_a_move_within_the_host_leaves_nothing(cloud: Cloud, off: str) -> None:
    share_id = cloud.embedded.shares.add()
    allow(cloud, off, share_id)
    plane = ControlPlane(cloud)
    moved = plane.make_migration(off, MigrationType.RESIZE, status="finished", dest_compute=cloud.host.name)
    shares.leave(cloud.host, user_context(), plane.instance(off, user_context()), plane.migration(moved))
    assert cloud.embedded.shares.allowed(share_id) == [NFS_HERE]


@pytest.fixture
def two(make_pair: Callable[..., Cloud]) -> tuple[Cloud, str, str]:
    """(two hosts, a server on the first that runs with a share, the share)."""
    pair = make_pair(HERE, second={"my_shared_fs_storage_ip": "192.0.2.10"})
    (uuid,) = pair.boot(host=pair.host.name)
    pair.verb(uuid, "stop")
    share_id = pair.embedded.shares.add()
    allow(pair, uuid, share_id)
    pair.verb(uuid, "start")
    return pair, uuid, share_id


@pytest.mark.parametrize(("verb", "rule", "host"), [("confirm", "ip 192.0.2.10", 1), ("revert", NFS_HERE, 0)])
def test_a_resize_takes_the_share_along(two: tuple[Cloud, str, str], verb: str, rule: str, host: int) -> None:
    pair, uuid, share_id = two
    role = ConductorRole(pair)
    role.resize(uuid, "m1.micro", to="second")
    assert sorted(pair.embedded.shares.allowed(share_id)) == ["ip 192.0.2.10", NFS_HERE]
    assert pair.agents["second"].host.driver._mounts == {(share_id, uuid)}
    getattr(role, verb)(uuid)
    pair.settle()
    assert pair.row(uuid)["vm_state"] == "active"
    assert pair.embedded.shares.allowed(share_id) == [rule]
    mounts = [bool(pair.agents[name].host.driver._mounts) for name in (pair.host.name, "second")]
    assert mounts == [host == 0, host == 1]


def test_a_resize_that_fails_on_the_new_host_unmounts_there(two: tuple[Cloud, str, str]) -> None:
    pair, uuid, _ = two
    second = pair.agents["second"]
    second.conf.set_override("fail", ["finish_migration:*"], group="fake")
    ConductorRole(pair).resize(uuid, "m1.micro", to="second")
    assert pair.row(uuid)["vm_state"] == "error"
    assert second.host.driver._mounts == set()


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_source_that_dies_with_the_disks_has_its_share_again(
    two: tuple[Cloud, str, str], is_stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, uuid, share_id = two
    if is_stopped:
        pair.verb(uuid, "stop")
    die_in(pair, pair.host.name, "migrate_disk_and_power_off", "after")
    ConductorRole(pair).resize(uuid, "m1.micro", to="second", wait=False)
    pair.wait_for(uuid, task_state="resize_migrating")
    made: list[Any] = []
    make = FakeMigration.finish_revert_migration
    monkeypatch.setattr(
        FakeMigration,
        "finish_revert_migration",
        lambda driver, context, spec, migration: made.append(spec) or make(driver, context, spec, migration),
    )
    restart(pair, pair.host.name)
    assert pair.row(uuid)["vm_state"] == ("stopped" if is_stopped else "active"), pair.faults(uuid)
    assert [share.share_id for spec in made for share in spec.shares] == [share_id]
    assert mounted(pair) == (set() if is_stopped else {(share_id, uuid)})


# Stale rules


def reconcile(cloud: Cloud) -> None:
    cloud.run_periodic("_reconcile_stale_share_access")


@pytest.fixture
def gone_elsewhere(cloud: Cloud, off: str) -> str:
    """A share whose server has moved away while the rule for this host stayed; returns the share."""
    share_id = cloud.embedded.shares.add()
    allow(cloud, off, share_id)
    ControlPlane(cloud).make_migration(off, MigrationType.MIGRATION, status="confirmed", dest_compute="far")
    cloud.set_fields(off, host="far")
    return str(share_id)


def test_a_rule_that_a_move_left_behind_is_taken_away(cloud: Cloud, gone_elsewhere: str) -> None:
    reconcile(cloud)
    assert cloud.embedded.shares.allowed(gone_elsewhere) == []


def test_a_rule_is_looked_at_when_the_agent_starts(cloud: Cloud, gone_elsewhere: str) -> None:
    cloud.restart_agent()
    assert cloud.embedded.shares.allowed(gone_elsewhere) == []


def test_a_rule_of_a_server_on_its_way_stays(cloud: Cloud, off: str, gone_elsewhere: str) -> None:
    cloud.set_fields(off, vm_state="resized")
    reconcile(cloud)
    assert cloud.embedded.shares.allowed(gone_elsewhere) == [NFS_HERE]


def test_a_rule_under_a_mount_stays(cloud: Cloud, off: str, gone_elsewhere: str) -> None:
    cloud.host.driver._mounts.add((gone_elsewhere, off))
    reconcile(cloud)
    assert cloud.embedded.shares.allowed(gone_elsewhere) == [NFS_HERE]


def test_a_rule_that_is_going_already_is_left_alone(cloud: Cloud, gone_elsewhere: str) -> None:
    cloud.embedded.shares.set_state(gone_elsewhere, "queued_to_deny")
    reconcile(cloud)
    assert cloud.embedded.shares.by_method["deny"] == 0


def test_rules_in_use_and_rules_of_others_stay(cloud: Cloud, off: str) -> None:
    service = cloud.embedded.shares
    nfs, ceph = service.add(), service.add()
    allow(cloud, off, nfs)
    allow(cloud, off, ceph, share_proto="CEPHFS")
    mine = service.allowed(ceph)
    for name in ("nova-0123456789abcdef", "nova", "operator"):
        service.allow(None, ceph, "cephx", name, reason="")
    service.allow(None, nfs, "ip", "192.0.2.77", reason="")
    reconcile(cloud)
    assert sorted(service.allowed(nfs)) == ["ip 192.0.2.77", NFS_HERE]
    assert service.allowed(ceph) == [*mine, "cephx nova", "cephx operator"]


def test_manila_that_is_away_is_asked_next_time(cloud: Cloud, gone_elsewhere: str) -> None:
    cloud.embedded.shares.fail("rules", errors.ManilaConnectionFailed(reason="away"))
    reconcile(cloud)
    assert cloud.embedded.shares.allowed(gone_elsewhere) == [NFS_HERE]
    reconcile(cloud)
    assert cloud.embedded.shares.allowed(gone_elsewhere) == []
