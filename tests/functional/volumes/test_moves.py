"""Wherever a server goes, its volumes are connected there and nowhere else."""

from __future__ import annotations

import pkgutil
import threading
from collections.abc import Callable
from typing import Any

import pytest

from computed import errors, objects
from computed.embedded.servers import user_context
from computed.states import PowerState
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.images.owner import Owner
from tests.functional.rebuild.role import RebuildRole
from tests.functional.resize.cross_cell import CrossCell
from tests.functional.resize.test_restart import Death, die_in, restart
from tests.functional.volumes.keeper import VolumeKeeper

THERE = "second"
AWAY = errors.CinderConnectionFailed(reason="HTTP 500")


def states(keeper: VolumeKeeper, uuid: str) -> tuple[str, str | None, str | None]:
    row = keeper.cloud.row(uuid)
    return row["vm_state"], row["task_state"], row["host"]


# Live migration


def test_live_migration(movers: VolumeKeeper) -> None:
    uuid, volume_id = movers.boot(host=HOST)
    migration = ConductorRole(movers.cloud).live_migrate(uuid, to=THERE)
    assert states(movers, uuid) == ("active", None, THERE), movers.cloud.faults(uuid)
    assert ConductorRole(movers.cloud).migration(migration).status == "completed"
    movers.assert_on(uuid, volume_id, THERE)


@pytest.mark.parametrize("method", ["attachment_create", "attachment_complete"])
def test_a_live_migration_that_the_volume_service_fails(movers: VolumeKeeper, method: str) -> None:
    uuid, volume_id = movers.boot(host=HOST)
    movers.volumes.fail(method, AWAY)
    ConductorRole(movers.cloud).live_migrate(uuid, to=THERE)
    assert states(movers, uuid) == ("active", None, HOST)
    movers.assert_on(uuid, volume_id, HOST)


def test_a_live_migration_that_breaks_off(movers: VolumeKeeper) -> None:
    uuid, volume_id = movers.boot(host=HOST)
    movers.cloud.agents[HOST].conf.set_override("fail", ["live_migrate:*"], group="fake")
    ConductorRole(movers.cloud).live_migrate(uuid, to=THERE)
    assert states(movers, uuid) == ("active", None, HOST)
    movers.assert_on(uuid, volume_id, HOST)


# Evacuation


def test_evacuation(movers: VolumeKeeper) -> None:
    uuid, volume_id = movers.boot(host=HOST)
    role = RebuildRole(movers.cloud)
    role.evacuate(uuid)
    assert states(movers, uuid) == ("active", None, THERE), movers.cloud.faults(uuid)
    (attachment,) = movers.volumes.attachments_of(volume_id=volume_id)
    assert (attachment["connector"]["host"], attachment["status"]) == (THERE, "attached")
    assert volume_id in movers.in_guest(uuid, THERE)


@pytest.mark.parametrize("method", ["attachment_create", "attachment_complete", "spawn"])
def test_an_evacuation_that_fails(movers: VolumeKeeper, method: str) -> None:
    uuid, volume_id = movers.boot(host=HOST)
    if method == "spawn":
        movers.cloud.agents[THERE].conf.set_override("fail", ["spawn:*"], group="fake")
    else:
        movers.volumes.fail(method, AWAY)
    RebuildRole(movers.cloud).evacuate(uuid)
    assert movers.cloud.row(uuid)["host"] == HOST
    assert movers.in_guest(uuid, THERE) == set()
    (attachment,) = movers.volumes.attachments_of(volume_id=volume_id)
    assert movers.mapping(uuid, volume_id)["attachment_id"] == attachment["uuid"]
    assert attachment["connector"]["host"] == HOST


# Rebuild


def test_rebuild_keeps_the_volumes(keeper: VolumeKeeper) -> None:
    uuid, volume_id = keeper.boot(root=False)
    RebuildRole(keeper.cloud).rebuild(uuid)
    assert states(keeper, uuid) == ("active", None, HOST), keeper.cloud.faults(uuid)
    keeper.assert_on(uuid, volume_id, HOST)


def test_rebuild_with_a_new_image_on_the_root_volume(keeper: VolumeKeeper) -> None:
    uuid, volume_id = keeper.boot()
    role = RebuildRole(keeper.cloud)

    def reimaged(method: str) -> None:
        if method == "reimage":
            threading.Timer(0.2, keeper.finish_reimage, (uuid, volume_id)).start()

    keeper.volumes.on_request = reimaged
    role.rebuild(uuid, reimage_boot_volume=True)
    assert states(keeper, uuid) == ("active", None, HOST), keeper.cloud.faults(uuid)
    assert keeper.volumes.row(volume_id)["image_id"] == role.image()["id"]
    keeper.assert_on(uuid, volume_id, HOST)


def test_a_root_volume_that_is_not_overwritten_is_found_by_the_next_hard_reboot(
    keeper: VolumeKeeper,
) -> None:
    uuid, volume_id = keeper.boot()
    keeper.volumes.fail("reimage", AWAY)
    RebuildRole(keeper.cloud).rebuild(uuid, reimage_boot_volume=True)
    assert states(keeper, uuid) == ("error", None, HOST)
    keeper.assert_reserved(uuid, volume_id)
    keeper.cloud.verb(uuid, "reboot", hard=True)
    assert states(keeper, uuid) == ("active", None, HOST), keeper.cloud.faults(uuid)
    keeper.assert_on(uuid, volume_id, HOST)


# Shelving


def test_shelving_and_unshelving_elsewhere(movers: VolumeKeeper) -> None:
    uuid, volume_id = movers.boot(host=HOST, root=False)
    owner = Owner(movers.cloud)
    owner.shelve(uuid)
    assert states(movers, uuid) == ("shelved_offloaded", None, None), movers.cloud.faults(uuid)
    movers.assert_reserved(uuid, volume_id)
    owner.unshelve(uuid, THERE)
    assert states(movers, uuid) == ("active", None, THERE), movers.cloud.faults(uuid)
    movers.assert_on(uuid, volume_id, THERE)


def test_shelving_and_unshelving_with_an_old_style_attachment(movers: VolumeKeeper) -> None:
    uuid, volume_id = movers.boot(host=HOST, root=False)
    movers.make_old_style(uuid, volume_id)
    owner = Owner(movers.cloud)
    owner.shelve(uuid)
    assert states(movers, uuid) == ("shelved_offloaded", None, None), movers.cloud.faults(uuid)
    owner.unshelve(uuid, THERE)
    assert states(movers, uuid) == ("active", None, THERE), movers.cloud.faults(uuid)
    movers.assert_old_style_on(uuid, volume_id, THERE)


BLANK = {"source_type": "blank", "boot_index": -1, "delete_on_termination": True}
OF_AN_IMAGE = {"source_type": "image", "boot_index": 0, "delete_on_termination": True}


def boot_with_new(keeper: VolumeKeeper, disk: dict[str, Any]) -> tuple[str, str]:
    """A server with a volume that its build makes; both ids."""
    image_id = keeper.cloud.embedded.images.find("guest")["id"]
    made_of = {"image_id": image_id} if disk["source_type"] == "image" else {}
    (uuid,) = keeper.cloud.boot(
        volumes=[{"destination_type": "volume", "volume_size": 2, **made_of, **disk}], host=HOST
    )
    (volume_id,) = keeper.volumes.volume_ids()
    keeper.assert_on(uuid, volume_id, HOST)
    return uuid, volume_id


@pytest.mark.parametrize("method", ["attachment_update", "attachment_complete", "get", "spawn"])
@pytest.mark.parametrize("disk", [None, BLANK, OF_AN_IMAGE], ids=["volume", "blank", "root of an image"])
def test_an_unshelving_that_fails_can_be_repeated(
    movers: VolumeKeeper, disk: dict[str, Any] | None, method: str
) -> None:
    """Also with a volume that the server's build has made, and that is to go when the server goes."""
    uuid, volume_id = movers.boot(host=HOST, root=False) if disk is None else boot_with_new(movers, disk)
    owner = Owner(movers.cloud)
    if disk is OF_AN_IMAGE:
        owner.offload(uuid, action="shelve", task_state="shelving")
    else:
        owner.shelve(uuid)
    if method == "spawn":
        owner.fail("spawn:*:NovaException:1", host=THERE)
    else:
        movers.volumes.fail(method, AWAY)
    owner.unshelve(uuid, THERE)
    assert states(movers, uuid) == ("shelved_offloaded", None, None)
    movers.assert_reserved(uuid, volume_id)
    owner.unshelve(uuid, HOST)
    assert states(movers, uuid) == ("active", None, HOST), movers.cloud.faults(uuid)
    movers.assert_on(uuid, volume_id, HOST)


def attach_while_offloaded(keeper: VolumeKeeper, uuid: str) -> str:
    """What the API does with a volume for a server that is on no host; the volume's id."""
    context, volume_id = user_context(), keeper.volumes.add(size_gib=2)
    bdm = objects.BlockDeviceMapping(
        context=context,
        source_type="volume",
        destination_type="volume",
        instance_uuid=uuid,
        boot_index=None,
        volume_id=volume_id,
        device_name=None,
        delete_on_termination=False,
        attachment_id=keeper.volumes.attachment_create(context, volume_id, uuid).id,
    )
    bdm.create()
    return volume_id


def test_volumes_that_were_attached_to_an_offloaded_server_are_named(keeper: VolumeKeeper) -> None:
    uuid, named = keeper.boot(root=False)
    owner = Owner(keeper.cloud)
    owner.shelve(uuid)
    nameless = [attach_while_offloaded(keeper, uuid) for _ in range(2)]
    owner.unshelve(uuid)
    assert states(keeper, uuid) == ("active", None, HOST), keeper.cloud.faults(uuid)
    for volume_id, name in zip((named, *nameless), ("/dev/sdb", "/dev/sdc", "/dev/sdd"), strict=True):
        keeper.assert_on(uuid, volume_id, HOST)
        assert keeper.mapping(uuid, volume_id)["device_name"] == name
        (attachment,) = keeper.volumes.attachments_of(volume_id=volume_id)
        assert attachment["mountpoint"] == name


def test_an_offload_that_the_volume_service_fails_can_be_repeated(movers: VolumeKeeper) -> None:
    uuid, volume_id = movers.boot(host=HOST, root=False)
    owner = Owner(movers.cloud)
    movers.volumes.fail("attachment_create", AWAY)
    owner.shelve(uuid)
    assert movers.cloud.row(uuid)["vm_state"] == "shelved"
    owner.offload(uuid)
    assert states(movers, uuid) == ("shelved_offloaded", None, None), movers.cloud.faults(uuid)
    movers.assert_reserved(uuid, volume_id)


@pytest.mark.parametrize("again", ["hard reboot", "shelve"])
@pytest.mark.parametrize("failing", ["volumes", "network", "placement"])
def test_an_offload_that_fails_leaves_a_server_on_a_volume_to_its_owner(
    keeper: VolumeKeeper, monkeypatch: pytest.MonkeyPatch, failing: str, again: str
) -> None:
    uuid, volume_id = keeper.boot()
    owner = Owner(keeper.cloud)
    with monkeypatch.context() as patch:
        if failing == "volumes":
            keeper.volumes.fail("attachment_create", AWAY)
        elif failing == "network":
            keeper.cloud.embedded.network.fail("unbind", errors.NetworkServiceUnavailable("away"))
        else:
            patch.setattr(keeper.cloud.host.placement, "delete_allocations", raising(AWAY))
        owner.offload(uuid, action="shelve", task_state="shelving")
    assert states(keeper, uuid) == ("stopped", None, HOST)
    assert keeper.cloud.row(uuid)["power_state"] == PowerState.SHUTDOWN
    assert len(keeper.cloud.faults(uuid)) == 1
    if again == "shelve":
        owner.offload(uuid, action="shelve", task_state="shelving")
        assert states(keeper, uuid) == ("shelved_offloaded", None, None), keeper.cloud.faults(uuid)
        keeper.assert_reserved(uuid, volume_id)
    else:
        keeper.cloud.verb(uuid, "reboot", hard=True)
        assert states(keeper, uuid) == ("active", None, HOST), keeper.cloud.faults(uuid)
        keeper.assert_on(uuid, volume_id, HOST)
        assert owner.port_hosts(uuid) == [HOST]


def raising(error: Exception) -> Callable[..., None]:
    """In place of a method that fails."""

    def fail(*arguments: Any, **more: Any) -> None:
        raise error

    return fail


# Resize and cold migration


@pytest.mark.parametrize("end", ["confirm", "revert"])
@pytest.mark.parametrize("flavor", ["m1.micro", None], ids=["resize", "cold migration"])
def test_resize(movers: VolumeKeeper, flavor: str | None, end: str) -> None:
    uuid, volume_id = movers.boot(host=HOST, root=False)
    role = ConductorRole(movers.cloud)
    role.resize(uuid, flavor, to=THERE)
    assert states(movers, uuid) == ("resized", None, THERE), movers.cloud.faults(uuid)
    movers.assert_on(uuid, volume_id, THERE)
    getattr(role, end)(uuid)
    where = THERE if end == "confirm" else HOST
    assert states(movers, uuid) == ("active", None, where), movers.cloud.faults(uuid)
    movers.assert_on(uuid, volume_id, where)


@pytest.mark.parametrize("end", ["confirm", "revert"])
def test_resize_with_an_old_style_attachment(movers: VolumeKeeper, end: str) -> None:
    uuid, volume_id = movers.boot(host=HOST, root=False)
    movers.make_old_style(uuid, volume_id)
    role = ConductorRole(movers.cloud)
    role.resize(uuid, "m1.micro", to=THERE)
    assert states(movers, uuid) == ("resized", None, THERE), movers.cloud.faults(uuid)
    movers.assert_old_style_on(uuid, volume_id, THERE)
    getattr(role, end)(uuid)
    where, moves = (THERE, 1) if end == "confirm" else (HOST, 2)
    assert states(movers, uuid) == ("active", None, where), movers.cloud.faults(uuid)
    movers.assert_old_style_on(uuid, volume_id, where)
    asked = movers.volumes.requests
    assert (asked["initialize_connection"], asked["terminate_connection"]) == (moves, moves)


def test_resize_between_cells_and_back_with_an_old_style_attachment(movers: VolumeKeeper) -> None:
    uuid, volume_id = movers.boot(host=HOST, root=False)
    movers.make_old_style(uuid, volume_id)
    role = CrossCell(movers.cloud)
    role.there(uuid)
    movers.assert_old_style_on(uuid, volume_id, THERE)
    movers.cloud.set_fields(uuid, task_state="resize_reverting")
    role.leg("revert_snapshot_based_resize_at_dest", THERE)
    role.leg("finish_revert_snapshot_based_resize_at_source", HOST)
    assert states(movers, uuid) == ("active", None, HOST), movers.cloud.faults(uuid)
    movers.assert_old_style_on(uuid, volume_id, HOST)


@pytest.mark.parametrize("is_old_style", [False, True])
@pytest.mark.parametrize("is_parked", [False, True])
def test_source_that_dies_with_the_disks_has_its_volumes_again(
    movers: VolumeKeeper, is_parked: bool, is_old_style: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid, volume_id = movers.boot(host=HOST, root=False)
    if is_old_style:
        movers.make_old_style(uuid, volume_id)
    with monkeypatch.context() as patch:
        if is_parked:
            dies_after(patch, "computed.steps.volumes.park")
        else:
            die_in(movers.cloud, HOST, "migrate_disk_and_power_off", "after")
        ConductorRole(movers.cloud).resize(uuid, "m1.micro", to=THERE, wait=False)
        movers.cloud.wait_for(uuid, task_state="resize_migrating")
        movers.cloud.settle()
    restart(movers.cloud, HOST)
    assert states(movers, uuid) == ("active", None, HOST), movers.cloud.faults(uuid)
    (movers.assert_old_style_on if is_old_style else movers.assert_on)(uuid, volume_id, HOST)


def dies_after(patch: pytest.MonkeyPatch, step: str) -> None:
    do = pkgutil.resolve_name(step)

    def die(*arguments: Any, **more: Any) -> None:
        do(*arguments, **more)
        raise Death

    patch.setattr(step, die)


def test_resize_within_the_host(make_cloud: Callable[..., Cloud]) -> None:
    keeper = VolumeKeeper(make_cloud({"compute_driver": "fake.SameHostColdMigrateDriver"}))
    uuid, volume_id = keeper.boot(root=False)
    role = ConductorRole(keeper.cloud)
    role.resize(uuid, "m1.micro", to=HOST)
    keeper.assert_on(uuid, volume_id, HOST)
    role.revert(uuid)
    assert states(keeper, uuid) == ("active", None, HOST), keeper.cloud.faults(uuid)
    keeper.assert_on(uuid, volume_id, HOST)


@pytest.mark.parametrize("method", ["attachment_create", "attachment_update", "attachment_complete", "get"])
def test_a_resize_that_the_volume_service_fails_is_found_by_the_next_hard_reboot(
    movers: VolumeKeeper, method: str
) -> None:
    uuid, volume_id = movers.boot(host=HOST, root=False)
    movers.volumes.fail(method, AWAY)
    ConductorRole(movers.cloud).resize(uuid, "m1.micro", to=THERE)
    vm_state, task_state, host = states(movers, uuid)
    assert (vm_state, task_state) == ("error", None)
    (attachment,) = movers.volumes.attachments_of(volume_id=volume_id)
    assert movers.mapping(uuid, volume_id)["attachment_id"] == attachment["uuid"]
    movers.cloud.verb(uuid, "reboot", hard=True)
    assert states(movers, uuid) == ("active", None, host), movers.cloud.faults(uuid)
    movers.assert_on(uuid, volume_id, str(host))


# The end


def test_delete(keeper: VolumeKeeper) -> None:
    uuid, volume_id = keeper.boot()
    keeper.cloud.delete(uuid)
    keeper.assert_free(volume_id)


def test_delete_of_what_a_killed_agent_has_not_written_down(keeper: VolumeKeeper) -> None:
    uuid, volume_id = keeper.boot()
    with keeper.cloud.embedded.store.transaction() as records:
        row = records.first("BlockDeviceMapping", instance_uuid=uuid, volume_id=volume_id)
        records.update("BlockDeviceMapping", row, {"attachment_id": None, "connection_info": None})
    keeper.cloud.delete(uuid)
    keeper.assert_free(volume_id)


def test_delete_of_an_old_style_attachment(keeper: VolumeKeeper) -> None:
    uuid, volume_id = keeper.boot()
    keeper.make_old_style(uuid, volume_id)
    keeper.cloud.delete(uuid)
    assert keeper.volumes.requests["terminate_connection"] == keeper.volumes.requests["detach"] == 1
    keeper.assert_free(volume_id)
