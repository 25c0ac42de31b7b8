"""Swaps, growth and snapshots of volumes that a server uses."""

import json

import pytest

from computed import errors, objects
from tests.functional.verbs.test_volumes import attach, detach, is_attached, is_given_back, mapping


@pytest.fixture
def server(bench):
    return bench.boot()


class Swap:
    """A swap that the API has prepared: the old volume is detaching, the new one reserved."""

    def __init__(self, bench, server, *, new_size=1, migration=False):
        self.bench, self.server = bench, server
        self.old = attach(bench, server)
        self.new = bench.volumes.add(size_gib=new_size)
        self.attachment = bench.volumes.attachment_create(bench.context, self.new, server.uuid).id
        if migration:
            bench.volumes.change(self.old, migration_status="migrating")
        else:
            bench.volumes.begin_detaching(bench.context, self.old)
        bench.begin_action(server.uuid, "swap_volume")
        bench.notices.told.clear()

    def send(self):
        self.bench.cast(
            "swap_volume",
            instance=self.bench.fetch(self.server.uuid),
            old_volume_id=self.old,
            new_volume_id=self.new,
            new_attachment_id=self.attachment,
        )
        self.bench.settle()
        return self.bench.events(self.server.uuid)[-1]


def test_a_swap(bench, server):
    swap = Swap(bench, server, new_size=5)
    assert swap.send() == ("compute_swap_volume", "Success")
    is_attached(bench, server, swap.new)
    assert bench.driver.volumes_of(server.uuid) == {swap.new: "/dev/sdb"}
    assert bench.volumes.row(swap.old)["status"] == "available"
    bdm = mapping(bench, server, swap.new)
    assert (bdm.volume_size, bdm.attachment_id) == (5, swap.attachment)
    info = json.loads(bdm.connection_info)
    assert {info["serial"], info["volume_id"], info["data"]["volume_id"]} == {swap.new}
    assert bench.notices.names(server.uuid) == ["volume_swap.start", "volume_swap.end"]
    assert mapping(bench, server, swap.old) is None
    assert bench.volumes.requests["migrate_volume_completion"] == 0


def test_a_migration_in_the_volume_service_keeps_the_id(bench, server):
    swap = Swap(bench, server, migration=True)
    assert swap.send() == ("compute_swap_volume", "Success")
    assert bench.volumes.volume_ids() == [swap.old]
    bdm = mapping(bench, server, swap.old)
    assert (bdm.volume_id, bdm.attachment_id) == (swap.old, swap.attachment)
    assert json.loads(bdm.connection_info)["serial"] == swap.old
    assert bench.volumes.row(swap.old)["status"] == "in-use"
    assert bench.volumes.row(swap.old)["migration_status"] == "success"
    detach(bench, server, swap.old)
    is_given_back(bench, server, swap.old)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_migration_whose_end_is_not_confirmed(bench, server, monkeypatch, is_done):
    """The volume service may fail after it has done it, or its answer be lost: it is asked what is so."""
    swap = Swap(bench, server, migration=True)
    complete = bench.volumes.migrate_volume_completion

    def fail(*arguments, **more):
        if is_done:
            complete(*arguments, **more)
        raise errors.VolumeNotFound(volume_id=swap.old)

    monkeypatch.setattr(bench.volumes, "migrate_volume_completion", fail)
    assert swap.send() == ("compute_swap_volume", "Success" if is_done else "Error")
    kept = swap.old if is_done else swap.new
    bdm = mapping(bench, server, kept)
    assert bdm.attachment_id == swap.attachment
    assert json.loads(bdm.connection_info)["serial"] == kept


def unreadable_mappings(asked, watch):
    if asked.startswith("BlockDeviceMapping") and ".get_by" in asked:
        raise RuntimeError("the store is away")


@pytest.mark.parametrize("migration", [False, True])
@pytest.mark.parametrize("is_readable", [True, False])
def test_a_swap_that_is_ordered_twice_leaves_the_guest_its_volume(bench, server, migration, is_readable):
    swap = Swap(bench, server, migration=migration)
    assert swap.send() == ("compute_swap_volume", "Success")
    bench.notices.told.clear()
    if not is_readable:
        bench.watch.rules.append(unreadable_mappings)
    bench.begin_action(server.uuid, "swap_volume")
    assert swap.send() == ("compute_swap_volume", "Success" if is_readable else "Error")
    kept = swap.old if migration else swap.new
    (attachment,) = bench.volumes.attachments_of(instance_uuid=server.uuid)
    assert (attachment["uuid"], attachment["status"]) == (swap.attachment, "attached")
    assert bench.volumes.row(kept)["status"] == "in-use"
    assert mapping(bench, server, kept).attachment_id == swap.attachment
    assert list(bench.driver.volumes_of(server.uuid)) == [swap.new]
    assert bench.states(server.uuid) == ("active", None)
    if is_readable:
        assert bench.notices.names(server.uuid) == []
        assert bench.fault(server.uuid) is None


@pytest.mark.parametrize("trouble", ["driver", "get", "attachment_update"])
@pytest.mark.parametrize("migration", [False, True])
def test_a_failed_swap_leaves_the_old_volume(bench, server, trouble, migration):
    swap = Swap(bench, server, migration=migration)
    if trouble == "driver":
        bench.conf.set_override("fail", ["swap_volume:*"], "fake")
    else:
        bench.volumes.fail(trouble, errors.CinderConnectionFailed(reason="HTTP 500"), after=trouble == "get")
    assert swap.send() == ("compute_swap_volume", "Error")
    assert bench.notices.names(server.uuid) == ["volume_swap.start", "volume_swap.error"]
    assert bench.volumes.row(swap.old)["status"] == "in-use"
    assert bench.volumes.row(swap.new)["status"] == "available"
    assert mapping(bench, server, swap.old) is not None
    assert mapping(bench, server, swap.new) is None
    if migration:
        assert bench.volumes.row(swap.old)["migration_status"] == "error"
    else:
        assert bench.volumes.requests["migrate_volume_completion"] == 0


def test_an_old_attachment_that_stays_does_not_undo_the_swap(bench, server):
    swap = Swap(bench, server)
    bench.volumes.fail("attachment_delete", errors.CinderConnectionFailed(reason="HTTP 500"))
    assert swap.send() == ("compute_swap_volume", "Success")
    assert mapping(bench, server, swap.new).attachment_id == swap.attachment
    assert bench.driver.volumes_of(server.uuid) == {swap.new: "/dev/sdb"}


@pytest.mark.parametrize("times", [1, 9])
def test_once_the_guest_has_the_new_volume_there_is_no_way_back(bench, server, times):
    swap = Swap(bench, server)
    error = errors.CinderConnectionFailed(reason="HTTP 500")
    bench.volumes.fail("attachment_complete", error, times=times)
    assert swap.send() == ("compute_swap_volume", "Success" if times == 1 else "Error")
    assert mapping(bench, server, swap.new).attachment_id == swap.attachment
    assert bench.driver.volumes_of(server.uuid) == {swap.new: "/dev/sdb"}
    assert bench.volumes.row(swap.old)["status"] == "available"


def test_a_swap_of_a_server_that_is_gone(bench, server):
    swap = Swap(bench, server)
    instance = bench.fetch(server.uuid)
    bench.delete(server.uuid)
    bench.cast(
        "swap_volume",
        instance=instance,
        old_volume_id=swap.old,
        new_volume_id=swap.new,
        new_attachment_id=swap.attachment,
    )
    bench.settle()
    assert bench.volumes.attachments_of() == []
    assert bench.volumes.row(swap.new)["status"] == "available"
    assert bench.driver.states() == {}


# Growth


def grown(bench, server, volume_id, size):
    bench.volumes.change(volume_id, size=size)
    bench.begin_action(server.uuid, "extend_volume")
    event = objects.InstanceExternalEvent(
        instance_uuid=server.uuid, name="volume-extended", status="completed", tag=volume_id, data={}
    )
    bench.cast("external_instance_event", instances=[bench.fetch(server.uuid)], events=[event])
    bench.settle()


def test_a_volume_that_grows(bench, server):
    volume_id = attach(bench, server)
    grown(bench, server, volume_id, 9)
    assert mapping(bench, server, volume_id).volume_size == 9
    assert f"EXTENDED {volume_id} {9 << 30}".encode() in bench.driver.console_output(bench.context, server)
    assert bench.events(server.uuid)[-1] == ("compute_extend_volume", "Success")


def test_growth_that_the_driver_cannot_follow(bench, server):
    bench.conf.set_override("fail", ["extend_volume:*:VolumeExtendFailed"], "fake")
    volume_id = attach(bench, server)
    grown(bench, server, volume_id, 9)
    assert bench.events(server.uuid)[-1] == ("compute_extend_volume", "Error")
    assert "extend_volume fails" in bench.fault(server.uuid)["message"]
    assert bench.states(server.uuid) == ("active", None)


def test_growth_of_what_the_server_does_not_have(bench, server):
    grown(bench, server, bench.volumes.add(), 9)
    assert bench.events(server.uuid)[-1] == ("compute_extend_volume", "Success")
    assert bench.fault(server.uuid) is None


def test_a_reimaged_volume_wakes_who_waits(bench, server):
    volume_id = bench.volumes.add()
    event = objects.InstanceExternalEvent(
        instance_uuid=server.uuid, name="volume-reimaged", status="completed", tag=volume_id, data={}
    )
    with bench.host.events.expect(server.uuid, [("volume-reimaged", volume_id)]) as waiting:
        bench.cast("external_instance_event", instances=[bench.fetch(server.uuid)], events=[event])
        waiting.wait(10)


# Snapshots


def snapshot(bench, server, method, volume_id, snapshot_id):
    info = {"create_info": {"snapshot_id": snapshot_id, "type": "qcow2", "new_file": "x"}}
    if method == "volume_snapshot_delete":
        info = {"snapshot_id": snapshot_id, "delete_info": {"volume_id": volume_id}}
    bench.cast(method, instance=bench.fetch(server.uuid), volume_id=volume_id, **info)
    bench.settle()


@pytest.mark.parametrize(
    ("method", "operation", "done", "failed"),
    [
        ("volume_snapshot_create", "create_volume_snapshot", "creating", "error"),
        ("volume_snapshot_delete", "delete_volume_snapshot", "deleting", "error_deleting"),
    ],
)
def test_snapshots_are_reported(bench, server, monkeypatch, method, operation, done, failed):
    monkeypatch.setattr("computed.operations.volume_snapshots._PATIENCE_SECONDS", 0.0)
    volume_id = attach(bench, server)
    snapshot_id = bench.volumes.add_snapshot(volume_id)
    snapshot(bench, server, method, volume_id, snapshot_id)
    row = bench.volumes.snapshot_row(snapshot_id)
    assert (row["status"], row["progress"]) == (done, "90%")
    bench.conf.set_override("fail", [f"{operation}:*"], "fake")
    snapshot(bench, server, method, volume_id, snapshot_id)
    assert bench.volumes.snapshot_row(snapshot_id)["status"] == failed
    bench.conf.set_override("fail", [f"{operation}:*:InstanceNotRunning"], "fake")
    bench.volumes.update_snapshot_status(bench.context, snapshot_id, "as before")
    snapshot(bench, server, method, volume_id, snapshot_id)
    assert bench.volumes.snapshot_row(snapshot_id)["status"] == "as before"


def test_a_snapshot_is_followed_until_the_service_has_done_its_part(bench, server):
    volume_id = attach(bench, server)
    snapshot_id = bench.volumes.add_snapshot(volume_id)

    def finish(method):
        if method == "get_snapshot":
            with bench.store.transaction() as records:
                row = records.first("VolumeSnapshot", uuid=snapshot_id)
                records.update("VolumeSnapshot", row, {"status": "available"})

    bench.volumes.on_request = finish
    snapshot(bench, server, "volume_snapshot_create", volume_id, snapshot_id)
    assert bench.volumes.snapshot_row(snapshot_id)["status"] == "available"
    assert bench.volumes.requests["get_snapshot"] == 1
    is_attached(bench, server, volume_id)
