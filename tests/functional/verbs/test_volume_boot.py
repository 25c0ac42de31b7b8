"""Servers that boot from volumes, or with some: given, of an image, of a snapshot, blank."""

import threading

import pytest

from computed import errors
from tests.functional.verbs.test_volumes import attach, is_attached, mapping, order, send

ROOT_OF_IMAGE = {
    "source_type": "image",
    "destination_type": "volume",
    "image_id": "aaaaaaaa-1111-4000-8000-000000000001",
    "boot_index": 0,
    "volume_size": 2,
}
LOCAL_ROOT = {"source_type": "image", "image_id": ROOT_OF_IMAGE["image_id"], "boot_index": 0}


def given(bench, volume_id, instance_uuid=None, **fields):
    disk = {
        "source_type": "volume",
        "destination_type": "volume",
        "volume_id": volume_id,
        "boot_index": 0,
        "delete_on_termination": False,
    }
    return {**disk, **fields}


def boot(bench, disks, *, reserve=True, **more):
    server = bench.new_server(disks=disks)
    if reserve:
        for bdm in bench.disks(server.uuid):
            if bdm.volume_id:
                attachment = bench.volumes.attachment_create(bench.context, bdm.volume_id, server.uuid)
                bdm.attachment_id = attachment.id
                with bench.uncounted():
                    bdm.save()
    bench.build(server, **more)
    return server


def is_up(bench, server, volume_id, device):
    assert bench.states(server.uuid) == ("active", None), bench.fault(server.uuid)
    assert bench.volumes.row(volume_id)["status"] == "in-use"
    assert bench.driver.volumes_of(server.uuid)[volume_id] == device
    bdm = mapping(bench, server, volume_id)
    (attachment,) = bench.volumes.attachments_of(volume_id=volume_id)
    assert (bdm.attachment_id, attachment["status"]) == (attachment["uuid"], "attached")
    assert attachment["connector"]["host"] == bench.conf.host
    assert bdm.connection_info
    return bdm


@pytest.mark.parametrize("reserve", [True, False], ids=["reserved by the API", "not yet reserved"])
def test_from_a_volume(bench, reserve):
    volume_id = bench.volumes.add(size_gib=5)
    server = boot(bench, [given(bench, volume_id)], reserve=reserve)
    bdm = is_up(bench, server, volume_id, "/dev/sda")
    assert (bdm.device_name, bdm.volume_size) == ("/dev/sda", 5)
    bench.delete(server.uuid)
    assert bench.volumes.row(volume_id)["status"] == "available"
    assert bench.volumes.attachments_of() == []


@pytest.mark.parametrize("name", ["/dev/nvme0n1", "/dev/disk/by-id/x", "/dev/mapper-1"])
def test_one_beside_that_has_a_name_of_another_kind(bench, name):
    volume_id = bench.volumes.add()
    server = boot(bench, [LOCAL_ROOT, given(bench, volume_id, boot_index=-1, device_name=name)])
    is_up(bench, server, volume_id, name)
    is_attached(bench, server, attach(bench, server))


def test_from_an_image_in_a_volume(bench):
    server = boot(bench, [ROOT_OF_IMAGE])
    (volume_id,) = bench.volumes.volume_ids()
    is_up(bench, server, volume_id, "/dev/sda")
    row = bench.volumes.row(volume_id)
    assert (row["size"], row["image_id"], row["name"]) == (2, ROOT_OF_IMAGE["image_id"], "")
    bench.delete(server.uuid)
    assert bench.volumes.volume_ids() == []


def test_from_a_snapshot_with_the_type_of_its_volume(bench):
    origin = bench.volumes.add(size_gib=7, volume_type="fast")
    snapshot_id = bench.volumes.add_snapshot(origin)
    root = {
        "source_type": "snapshot",
        "destination_type": "volume",
        "snapshot_id": snapshot_id,
        "boot_index": 0,
    }
    server = boot(bench, [root])
    (volume_id,) = set(bench.volumes.volume_ids()) - {origin}
    assert is_up(bench, server, volume_id, "/dev/sda").volume_size == 7
    row = bench.volumes.row(volume_id)
    assert (row["snapshot_id"], row["volume_type"]) == (snapshot_id, "fast")


def test_a_blank_one_beside(bench):
    blank = {"source_type": "blank", "destination_type": "volume", "volume_size": 4, "boot_index": -1}
    server = boot(bench, [LOCAL_ROOT, blank])
    (volume_id,) = bench.volumes.volume_ids()
    is_up(bench, server, volume_id, "/dev/sdb")
    assert bench.volumes.row(volume_id)["name"] == f"{server.uuid}-blank-vol"


def test_a_volume_in_the_making_is_waited_for(make_bench):
    bench = make_bench(block_device_allocate_retries=50, block_device_allocate_retries_interval=1)
    bench.volumes.new_status = "creating"
    asked = []

    def finish(method):
        if method == "get":
            asked.append(method)
            if len(asked) == 1:
                threading.Timer(0.1, finish_all).start()

    def finish_all():
        for volume_id in bench.volumes.volume_ids():
            bench.volumes.change(volume_id, status="available")

    bench.volumes.on_request = finish
    server = boot(bench, [ROOT_OF_IMAGE])
    (volume_id,) = bench.volumes.volume_ids()
    is_up(bench, server, volume_id, "/dev/sda")
    assert len(asked) >= 2


def nothing_is_left(bench, server, *, kept=()):
    assert bench.states(server.uuid) == ("error", None)
    assert bench.volumes.volume_ids() == list(kept)
    assert [bench.volumes.row(volume_id)["status"] for volume_id in kept] == ["available"] * len(kept)
    assert bench.volumes.attachments_of() == []
    assert bench.driver.states() == {}
    assert bench.network.ports == {}
    assert bench.allocation(server.uuid) == {}


@pytest.mark.parametrize("status", ["error", "creating"])
def test_a_volume_that_is_never_made(make_bench, status):
    bench = make_bench(block_device_allocate_retries=1, block_device_allocate_retries_interval=0)
    bench.volumes.new_status = status
    server = boot(bench, [ROOT_OF_IMAGE])
    assert bench.states(server.uuid) == ("error", None)
    assert f"is {status} after" in bench.fault(server.uuid)["message"]
    assert bench.volumes.attachments_of() == []
    assert bench.allocation(server.uuid) == {}


@pytest.mark.parametrize("remote", ["create", "get", "attachment_create", "attachment_update"])
@pytest.mark.parametrize(
    "error",
    [errors.CinderConnectionFailed(reason="HTTP 500"), errors.OverQuota(overs="volumes"),
     errors.VolumeNotFound(volume_id="v")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_failure_at_the_volume_service_before_the_guest(bench, remote, error):
    bench.volumes.fail(remote, error)
    server = boot(bench, [ROOT_OF_IMAGE], retry=True)
    nothing_is_left(bench, server)
    assert error.format_message() in bench.fault(server.uuid)["message"]
    assert bench.tasks.casts == []


def test_a_given_volume_stays_when_the_build_fails_for_good(bench):
    bench.conf.set_override("fail", ["spawn:*:BuildAbortException"], "fake")
    volume_id = bench.volumes.add()
    server = boot(bench, [given(bench, volume_id)])
    nothing_is_left(bench, server, kept=[volume_id])


@pytest.mark.parametrize("trouble", ["spawn", "complete"])
def test_a_build_that_goes_elsewhere_takes_its_reservation_along(bench, trouble):
    if trouble == "spawn":
        bench.conf.set_override("fail", ["spawn:*:NovaException"], "fake")
    else:
        bench.volumes.fail("attachment_complete", errors.CinderConnectionFailed(reason="HTTP 500"))
    volume_id = bench.volumes.add()
    server = boot(bench, [given(bench, volume_id)], retry=True)
    assert len(bench.tasks.casts) == 1
    assert bench.states(server.uuid) == ("building", "scheduling")
    (attachment,) = bench.volumes.attachments_of(volume_id=volume_id)
    assert (attachment["status"], attachment["connector"]) == ("reserved", None)
    assert mapping(bench, server, volume_id).attachment_id == attachment["uuid"]
    assert bench.volumes.row(volume_id)["status"] == "reserved"
    assert bench.driver.states() == {}
    # The next host, or this one once more, can build it with what is there.
    bench.conf.set_override("fail", [], "fake")
    with bench.uncounted():
        bench.allocate(bench.fetch(server.uuid))
    bench.build(bench.fetch(server.uuid), attempt=2)
    is_up(bench, server, volume_id, "/dev/sda")


def test_a_new_volume_is_made_anew_elsewhere(bench):
    bench.conf.set_override("fail", ["spawn:*:NovaException:1"], "fake")
    server = boot(bench, [ROOT_OF_IMAGE], retry=True)
    assert len(bench.tasks.casts) == 1
    assert bench.volumes.volume_ids() == []
    with bench.uncounted():
        bench.allocate(bench.fetch(server.uuid))
    bench.build(bench.fetch(server.uuid), attempt=2)
    (volume_id,) = bench.volumes.volume_ids()
    is_up(bench, server, volume_id, "/dev/sda")


def test_deleted_while_it_is_built(bench):
    """The record is gone when the spawn ends: the reservation goes, too."""
    volume_id = bench.volumes.add()
    server = bench.new_server(disks=[given(bench, volume_id)])

    def delete():
        with bench.uncounted():
            bench.fetch(server.uuid).destroy()

    bench.watch.before("Instance.save", delete, nth=3)
    bench.build(server)
    assert bench.is_deleted(server.uuid)
    assert bench.driver.states() == {}
    assert bench.volumes.attachments_of() == []
    assert bench.volumes.row(volume_id)["status"] == "available"


# Reboots and starts look whether everything is still as it was


def reboot(bench, server, kind="HARD"):
    task = "rebooting_hard" if kind == "HARD" else "rebooting"
    bench.verb("reboot_instance", server.uuid, task, block_device_info=None, reboot_type=kind)
    assert bench.states(server.uuid) == ("active", None), bench.fault(server.uuid)


def test_a_reboot_drops_what_the_service_does_not_have(bench):
    server = bench.boot()
    lost, kept = attach(bench, server), attach(bench, server)
    bench.volumes.attachment_delete(bench.context, mapping(bench, server, lost).attachment_id)
    reboot(bench, server)
    assert mapping(bench, server, lost) is None
    assert mapping(bench, server, kept) is not None
    assert bench.driver.volumes_of(server.uuid) == {kept: "/dev/sdc"}


def test_a_reboot_never_drops_what_the_server_boots_from(bench):
    volume_id = bench.volumes.add()
    server = boot(bench, [given(bench, volume_id)])
    bench.volumes.attachment_delete(bench.context, mapping(bench, server, volume_id).attachment_id)
    reboot(bench, server)
    assert mapping(bench, server, volume_id) is not None


def test_a_reboot_drops_attachments_that_nobody_knows(bench):
    server = bench.boot()
    stale, kept = bench.volumes.add(), attach(bench, server)
    bench.volumes.attachment_create(bench.context, stale, server.uuid)
    reboot(bench, server, "SOFT")
    assert bench.volumes.row(stale)["status"] == "available"
    assert bench.volumes.row(kept)["status"] == "in-use"


@pytest.mark.parametrize("remote", ["attachments", "attachment_get"])
def test_a_service_that_is_away_takes_nothing_from_anybody(bench, remote):
    server = bench.boot()
    volume_id = attach(bench, server)
    bench.volumes.fail(remote, errors.CinderConnectionFailed(reason="away"), times=9)
    reboot(bench, server)
    assert bench.driver.volumes_of(server.uuid) == {volume_id: "/dev/sdb"}
    assert len(bench.volumes.attachments_of(volume_id=volume_id)) == 1
    bench.verb("stop_instance", server.uuid, "powering-off", clean_shutdown=True)
    bench.verb("start_instance", server.uuid, "powering-on")
    assert bench.states(server.uuid) == ("active", None)


def test_a_connection_that_has_changed_is_learnt(bench, monkeypatch):
    from computed.embedded import volumes as embedded

    server = bench.boot()
    volume_id = attach(bench, server)
    before = mapping(bench, server, volume_id).connection_info

    def moved(volume_id, connector):
        return {"driver_volume_type": "fake", "data": {"volume_id": volume_id, "portal": "new"}}

    monkeypatch.setattr(embedded, "_connection", moved)
    bench.verb("stop_instance", server.uuid, "powering-off", clean_shutdown=True)
    with bench.counting() as counts:
        bench.verb("start_instance", server.uuid, "powering-on")
    after = mapping(bench, server, volume_id).connection_info
    assert '"portal": "new"' in after and after != before
    assert counts.conductor.count("BlockDeviceMapping.save") == 1


def test_an_attachment_that_a_killed_agent_has_begun_is_finished(bench):
    server = bench.boot()
    volume_id, queued = bench.volumes.add(multiattach=False), bench.volumes.add()
    for wanted in (volume_id, queued):
        bdm = order(bench, server, wanted)
        if wanted == volume_id:
            connector = bench.driver.volume_connector(server)
            bench.volumes.attachment_update(bench.context, bdm.attachment_id, connector, bdm.device_name)
    reboot(bench, server)
    is_attached(bench, server, volume_id)
    assert bench.volumes.row(queued)["status"] == "reserved"
    assert bench.driver.volumes_of(server.uuid) == {volume_id: "/dev/sdb"}
    send(bench, server, mapping(bench, server, queued))
    is_attached(bench, server, queued, "/dev/sdc")
