"""Volumes into and out of servers: names, records, states in the volume service, failures, notifications."""

import json

import pytest

from computed import errors, objects

DETACHED = "detach_volume"


@pytest.fixture
def server(bench):
    return bench.boot()


def reserve(bench, server, volume_id, **wanted):
    """The mapping, as the conductor asks for it before an attachment."""
    arguments = {
        "device": None,
        "disk_bus": None,
        "device_type": None,
        "tag": None,
        "multiattach": False,
        **wanted,
    }
    return bench.call(
        "reserve_block_device_name", instance=bench.fetch(server.uuid), volume_id=volume_id, **arguments
    )


def order(bench, server, volume_id, **wanted):
    """All that happens before the attach_volume cast; the mapping with its reservation."""
    bdm = reserve(bench, server, volume_id, **wanted)
    bdm.attachment_id = bench.volumes.attachment_create(bench.context, volume_id, server.uuid).id
    with bench.uncounted():
        bdm.save()
    bench.begin_action(server.uuid, "attach_volume")
    return bdm


def send(bench, server, bdm):
    bench.cast("attach_volume", instance=bench.fetch(server.uuid), bdm=bdm)
    bench.settle()


def attach(bench, server, volume_id=None, **wanted):
    volume_id = volume_id or bench.volumes.add()
    send(bench, server, order(bench, server, volume_id, **wanted))
    return volume_id


def detach(bench, server, volume_id):
    bench.volumes.begin_detaching(bench.context, volume_id)
    bench.begin_action(server.uuid, "detach_volume")
    bench.cast("detach_volume", instance=bench.fetch(server.uuid), volume_id=volume_id, attachment_id=None)
    bench.settle()


def mapping(bench, server, volume_id):
    found = [bdm for bdm in bench.disks(server.uuid) if bdm.volume_id == volume_id]
    return found[0] if found else None


def is_given_back(bench, server, volume_id):
    assert bench.volumes.row(volume_id)["status"] == "available"
    assert bench.volumes.attachments_of() == []
    assert bench.driver.volumes_of(server.uuid) == {}
    assert mapping(bench, server, volume_id) is None


def is_attached(bench, server, volume_id, device="/dev/sdb"):
    assert bench.volumes.row(volume_id)["status"] == "in-use"
    assert bench.driver.volumes_of(server.uuid)[volume_id] == device
    bdm = mapping(bench, server, volume_id)
    (attachment,) = bench.volumes.attachments_of(instance_uuid=server.uuid, volume_id=volume_id)
    assert (bdm.attachment_id, attachment["status"]) == (attachment["uuid"], "attached")
    assert (attachment["mountpoint"], attachment["connector"]["host"]) == (device, bench.conf.host)
    info = json.loads(bdm.connection_info)
    assert info["serial"] == volume_id
    assert info["driver_volume_type"] == "fake"
    assert bdm.volume_size == bench.volumes.row(volume_id)["size"]


def test_attach_and_detach(bench, server):
    bench.notices.told.clear()
    volume_id = attach(bench, server, bench.volumes.add(size_gib=3))
    is_attached(bench, server, volume_id)
    assert bench.events(server.uuid)[-1] == ("compute_attach_volume", "Success")
    assert bench.notices.names(server.uuid) == ["volume_attach.start", "volume_attach.end"]
    detach(bench, server, volume_id)
    is_given_back(bench, server, volume_id)
    assert bench.events(server.uuid)[-1] == ("compute_detach_volume", "Success")
    assert bench.notices.names(server.uuid)[2:] == ["volume_detach.start", "volume_detach.end"]
    assert bench.fault(server.uuid) is None


def test_what_it_asks(bench, server):
    volume_id = bench.volumes.add()
    with bench.counting() as reserving:
        bdm = reserve(bench, server, volume_id)
    assert len(reserving.conductor) == 2
    bdm.attachment_id = bench.volumes.attachment_create(bench.context, volume_id, server.uuid).id
    bench.begin_action(server.uuid, "attach_volume")
    with bench.counting() as attaching:
        send(bench, server, bdm)
    assert attaching.conductor == [
        "InstanceActionEvent.event_start",
        "BlockDeviceMapping.save",
        "InstanceActionEvent.event_finish_with_failure",
    ]
    assert attaching.placement == []
    bench.volumes.begin_detaching(bench.context, volume_id)
    bench.begin_action(server.uuid, "detach_volume")
    with bench.counting() as detaching:
        detach_again(bench, server, volume_id)
    assert len(detaching.conductor) == 4


def detach_again(bench, server, volume_id):
    bench.cast("detach_volume", instance=bench.fetch(server.uuid), volume_id=volume_id, attachment_id=None)
    bench.settle()


def test_names_follow_the_root_device(bench, server):
    first = reserve(bench, server, bench.volumes.add())
    second = reserve(bench, server, bench.volumes.add(), device="/dev/vdf")
    third = reserve(bench, server, bench.volumes.add())
    assert [bdm.device_name for bdm in (first, second, third)] == ["/dev/sdb", "/dev/sdf", "/dev/sdc"]
    assert (first.source_type, first.destination_type, first.boot_index) == ("volume", "volume", None)
    with pytest.raises(errors.DevicePathInUse):
        reserve(bench, server, bench.volumes.add(), device="/dev/sdf")
    with pytest.raises(errors.InvalidDevicePath):
        reserve(bench, server, bench.volumes.add(), device="/dev/../sd")
    assert len(bench.disks(server.uuid)) == 4


def test_a_volume_is_reserved_once(bench, server):
    volume_id = bench.volumes.add()
    reserve(bench, server, volume_id)
    with pytest.raises(errors.InvalidVolume):
        reserve(bench, server, volume_id)
    assert len([bdm for bdm in bench.disks(server.uuid) if bdm.volume_id == volume_id]) == 1


def test_no_more_disks_than_allowed(make_bench):
    bench = make_bench(**{"compute.max_disk_devices_to_attach": 2})
    server = bench.boot()
    reserve(bench, server, bench.volumes.add())
    with pytest.raises(errors.TooManyDiskDevices):
        reserve(bench, server, bench.volumes.add())


@pytest.mark.parametrize(
    ("flag", "wanted", "error"),
    [
        ("supports_tagged_attach_volume", {"tag": "db"}, errors.VolumeTaggedAttachNotSupported),
        ("supports_multiattach", {"multiattach": True}, errors.MultiattachNotSupportedByVirtDriver),
    ],
)
def test_what_the_driver_cannot_is_refused(bench, server, monkeypatch, flag, wanted, error):
    kept = reserve(bench, server, bench.volumes.add(), **wanted)
    assert kept.tag == wanted.get("tag")
    can = {**bench.driver.capabilities, flag: False}
    monkeypatch.setattr(type(bench.driver), "capabilities", can)
    with pytest.raises(error):
        reserve(bench, server, bench.volumes.add(), **wanted)


def test_a_multiattach_volume_is_remembered_as_such(bench, server):
    volume_id = attach(bench, server, bench.volumes.add(multiattach=True), multiattach=True)
    assert json.loads(mapping(bench, server, volume_id).connection_info)["multiattach"] is True
    other = bench.boot("web-2")
    attach(bench, other, volume_id, multiattach=True)
    is_attached(bench, other, volume_id)
    detach(bench, server, volume_id)
    is_attached(bench, other, volume_id)
    assert bench.driver.volumes_of(server.uuid) == {}


REMOTES = ["attachment_get", "get", "attachment_update", "attachment_complete"]
FAILURES = [
    errors.VolumeNotFound(volume_id="v"),
    errors.InvalidInput(reason="409"),
    errors.CinderConnectionFailed(reason="HTTP 500"),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("remote", REMOTES)
def test_a_failure_at_the_volume_service_gives_everything_back(bench, server, remote, error):
    volume_id = bench.volumes.add()
    bdm = order(bench, server, volume_id)
    bench.notices.told.clear()
    # A look that fails is looked again.
    bench.volumes.fail(remote, error, times=3 if remote == "attachment_get" else 1)
    send(bench, server, bdm)
    if remote == "attachment_get":
        # Nothing was done yet: the reservation is the only thing to give back, by whoever made it.
        bench.volumes.attachment_delete(bench.context, bdm.attachment_id)
    is_given_back(bench, server, volume_id)
    assert bench.notices.names(server.uuid) == ["volume_attach.start", "volume_attach.error"]
    assert bench.events(server.uuid)[-1] == ("compute_attach_volume", "Error")
    assert bench.fault(server.uuid)["message"] == error.format_message()
    assert bench.states(server.uuid) == ("active", None)


def test_a_failing_driver_gives_everything_back(bench, server):
    bench.conf.set_override("fail", ["attach_volume:*"], "fake")
    volume_id = attach(bench, server)
    is_given_back(bench, server, volume_id)
    assert bench.events(server.uuid)[-1] == ("compute_attach_volume", "Error")
    bench.conf.set_override("fail", [], "fake")
    attach(bench, server, volume_id)
    is_attached(bench, server, volume_id)


def test_an_order_that_comes_twice_changes_nothing(bench, server):
    volume_id = bench.volumes.add()
    bdm = order(bench, server, volume_id)
    send(bench, server, bdm)
    send(bench, server, bdm)
    is_attached(bench, server, volume_id)
    assert bench.fault(server.uuid) is None


def test_an_order_that_comes_after_the_volume_was_given_back(bench, server):
    volume_id = bench.volumes.add()
    bdm = order(bench, server, volume_id)
    bench.volumes.attachment_delete(bench.context, bdm.attachment_id)
    send(bench, server, bdm)
    is_given_back(bench, server, volume_id)


def test_an_order_that_comes_after_the_delete(bench, server):
    volume_id = bench.volumes.add()
    bdm = order(bench, server, volume_id)
    instance = bench.fetch(server.uuid)
    bench.delete(server.uuid)
    bench.cast("attach_volume", instance=instance, bdm=bdm)
    bench.settle()
    assert bench.volumes.row(volume_id)["status"] == "available"
    assert bench.volumes.attachments_of() == []
    assert bench.driver.states() == {}


def test_the_instance_goes_in_the_middle(bench, server):
    """Its guest is gone when the driver is asked."""
    volume_id = bench.volumes.add()
    bdm = order(bench, server, volume_id)
    bench.driver._store.remove(server.uuid, keep_disks=False)
    send(bench, server, bdm)
    assert bench.volumes.row(volume_id)["status"] == "available"
    assert mapping(bench, server, volume_id) is None


def test_another_zone(make_bench):
    bench = make_bench(**{"cinder.cross_az_attach": False})
    server = bench.boot()
    volume_id = attach(bench, server, bench.volumes.add(availability_zone="elsewhere"))
    is_given_back(bench, server, volume_id)
    assert "zone elsewhere" in bench.fault(server.uuid)["message"]


# Detaching


def test_what_the_instance_does_not_have(bench, server):
    volume_id = bench.volumes.add()
    detach_again(bench, server, volume_id)
    assert "No block device mapping" in bench.fault(server.uuid)["message"]
    assert bench.volumes.row(volume_id)["status"] == "available"


@pytest.mark.parametrize("remote", ["get", "attachment_delete", None])
def test_a_failed_detachment_can_be_repeated(bench, server, remote):
    volume_id = attach(bench, server)
    if remote:
        # What gives the volume back is tried three times.
        times = 3 if remote == "attachment_delete" else 1
        bench.volumes.fail(remote, errors.CinderConnectionFailed(reason="HTTP 503"), times=times)
    else:
        bench.conf.set_override("fail", ["detach_volume:*:DeviceDetachFailed:1"], "fake")
    detach(bench, server, volume_id)
    assert bench.volumes.row(volume_id)["status"] == "in-use"
    assert mapping(bench, server, volume_id) is not None
    assert bench.events(server.uuid)[-1] == ("compute_detach_volume", "Error")
    assert bench.notices.names(server.uuid)[-1] == "volume_detach.start"
    detach(bench, server, volume_id)
    is_given_back(bench, server, volume_id)


def test_a_volume_that_the_service_has_lost_can_be_detached(bench, server):
    volume_id = attach(bench, server)
    with bench.store.transaction() as records:
        records.purge("Volume", uuid=volume_id)
        records.purge("VolumeAttachment", volume_id=volume_id)
    detach_again(bench, server, volume_id)
    assert bench.driver.volumes_of(server.uuid) == {}
    assert mapping(bench, server, volume_id) is None


def test_a_tagged_volume_leaves_the_metadata(bench, server):
    volume_id = attach(bench, server, tag="db")
    instance = bench.fetch(server.uuid)
    instance.device_metadata = objects.InstanceDeviceMetadata(
        devices=[
            objects.DiskMetadata(bus=objects.SCSIDeviceBus(address="0:0:0:1"), serial=volume_id, tags=["db"]),
            objects.DiskMetadata(bus=objects.SCSIDeviceBus(address="0:0:0:2"), serial="other", tags=["x"]),
        ]
    )
    with bench.uncounted():
        instance.save()
    bench.volumes.begin_detaching(bench.context, volume_id)
    detach_again(bench, server, volume_id)
    instance = objects.Instance.get_by_uuid(bench.context, server.uuid, expected_attrs=["device_metadata"])
    assert [device.serial for device in instance.device_metadata.devices] == ["other"]


def test_remove_volume_connection(bench, server):
    volume_id = attach(bench, server)
    bench.call("remove_volume_connection", volume_id=volume_id, instance=server)
    assert bench.driver.volumes_of(server.uuid) == {}
    assert len(bench.volumes.attachments_of(volume_id=volume_id)) == 1
    bench.call("remove_volume_connection", volume_id=volume_id, instance=server, delete_attachment=True)
    assert bench.volumes.attachments_of(volume_id=volume_id) == []
    bench.call("remove_volume_connection", volume_id=bench.volumes.add(), instance=server)


def test_the_delete_gives_volumes_back(bench, server):
    kept, gone = attach(bench, server), attach(bench, server)
    with bench.uncounted():
        bdm = mapping(bench, server, gone)
        bdm.delete_on_termination = True
        bdm.save()
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)
    assert bench.volumes.volume_ids() == [kept]
    assert bench.volumes.row(kept)["status"] == "available"


@pytest.mark.parametrize("remote", ["attachment_delete", "delete"])
def test_the_delete_goes_on_without_the_volume_service(bench, server, remote):
    volume_id = attach(bench, server)
    with bench.uncounted():
        bdm = mapping(bench, server, volume_id)
        bdm.delete_on_termination = True
        bdm.save()
    bench.volumes.fail(remote, errors.CinderConnectionFailed(reason="away"), times=9)
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)
    assert bench.fault(server.uuid) is None
    assert bench.events(server.uuid)[-1] == ("compute_terminate_instance", "Success")


# Usage


def test_usage_is_polled_and_noted_at_the_end(make_bench):
    bench = make_bench(volume_usage_poll_interval=60)
    server = bench.boot()
    volume_id = attach(bench, server)
    from computed.periodic.volume_usage import poll_volume_usage

    poll_volume_usage(bench.host, bench.context)
    (row,) = bench.rows("VolumeUsage")
    assert (row["volume_id"], row["instance_uuid"], row["user_id"]) == (volume_id, server.uuid, "user")
    detach(bench, server, volume_id)
    (row,) = bench.rows("VolumeUsage")
    assert row["tot_last_refreshed"] is not None
    assert bench.notices.names(server.uuid)[-3:] == [
        "volume_detach.start",
        "volume.usage",
        "volume_detach.end",
    ]
