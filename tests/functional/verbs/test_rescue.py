"""Rescue and unrescue: images, states, guests, notifications, failures, the clock."""

import json
import uuid
from datetime import timedelta

import pytest
from oslo_utils import timeutils

from computed import errors
from computed.embedded.images import ImageDirectory
from computed.periodic.table import TASKS
from computed.states import PowerState

ON, OFF = int(PowerState.RUNNING), int(PowerState.SHUTDOWN)


class Images(ImageDirectory):
    """A directory with a base image and a rescue image, which can be out of reach."""

    def __init__(self, directory):
        super().__init__(directory)
        self.directory = directory
        self.failure = None
        for name in ("base", "rescue"):
            (directory / f"{name}.raw").write_bytes(b"\0" * 512)

    def id_of(self, name):
        return self.find(name)["id"]

    def describe(self, name, **properties):
        (self.directory / f"{name}.json").write_text(json.dumps({"properties": properties}))

    def show(self, context, image_id):
        if self.failure is not None:
            raise self.failure
        return super().show(context, image_id)


@pytest.fixture
def images(tmp_path):
    directory = tmp_path / "images"
    directory.mkdir()
    return Images(directory)


@pytest.fixture
def bench(make_bench, images):
    bench = make_bench()
    object.__setattr__(bench.host, "images", images)
    return bench


@pytest.fixture
def server(bench, images):
    server = bench.boot()
    bench.set_task(server.uuid, None, system_metadata={"image_base_image_ref": images.id_of("base")})
    bench.notices.told.clear()
    return server


def rescue(bench, server, image_ref=None, password="secret-word", **more):
    bench.verb(
        "rescue_instance",
        server.uuid,
        "rescuing",
        **{
            "rescue_password": password,
            "rescue_image_ref": image_ref,
            "clean_shutdown": True,
            **more,
        },
    )


def unrescue(bench, server):
    bench.verb("unrescue_instance", server.uuid, "unrescuing")


def shown(bench, server):
    record = bench.fetch(server.uuid)
    return record.vm_state, record.task_state, record.power_state


def guest(bench, server):
    return bench.driver._store.find(server.uuid)


def fail(bench, *rules):
    bench.conf.set_override("fail", list(rules), "fake")


def test_there_and_back(bench, server, images):
    age(bench, server, 3600)
    before = bench.fetch(server.uuid).launched_at
    rescue(bench, server, images.id_of("rescue"))
    assert shown(bench, server) == ("rescued", None, ON)
    assert bench.fetch(server.uuid).launched_at > before
    assert guest(bench, server).rescue == {
        "image": images.id_of("rescue"),
        "device_type": "disk",
        "disk_bus": None,
        "is_stable": False,
    }
    assert guest(bench, server).console[-2] == f"RESCUE {images.id_of('rescue')}"
    unrescue(bench, server)
    assert shown(bench, server) == ("active", None, ON)
    assert guest(bench, server).rescue is None
    assert [row[1:4] for row in bench.notices.told] == [
        ("rescue.start", "active", "rescuing"),
        ("exists", "active", "rescuing"),
        ("rescue.end", "rescued", None),
        ("unrescue.start", "rescued", "unrescuing"),
        ("unrescue.end", "active", None),
    ]
    assert bench.events(server.uuid)[1:] == [
        ("compute_rescue_instance", "Success"),
        ("compute_unrescue_instance", "Success"),
    ]


def test_without_an_image_named_it_is_the_one_it_was_made_of(bench, server, images):
    rescue(bench, server)
    assert guest(bench, server).rescue["image"] == images.id_of("base")


@pytest.mark.parametrize(("named", "booted"), [(None, "rescue"), ("base", "base")])
def test_the_image_of_the_host_is_for_those_who_name_none(bench, server, images, monkeypatch, named, booted):
    chosen = property(lambda driver: images.id_of("rescue"))
    monkeypatch.setattr(type(bench.driver), "rescue_image_id", chosen)
    rescue(bench, server, named and images.id_of(named))
    assert guest(bench, server).rescue["image"] == images.id_of(booted)


def test_without_a_base_image_it_is_its_present_image(bench, server, images):
    bench.set_task(server.uuid, None, system_metadata={}, image_ref=images.id_of("rescue"))
    rescue(bench, server)
    assert guest(bench, server).rescue["image"] == images.id_of("rescue")


def test_a_server_without_any_image_is_not_rescued(bench, server):
    bench.set_task(server.uuid, None, system_metadata={}, image_ref="")
    rescue(bench, server)
    assert shown(bench, server) == ("active", None, ON)
    assert "no image" in bench.fault(server.uuid)["message"]
    assert bench.events(server.uuid)[-1] == ("compute_rescue_instance", "Error")


@pytest.mark.parametrize(
    ("properties", "device_type", "bus"),
    [
        ({"hw_rescue_device": "cdrom"}, "cdrom", None),
        ({"hw_rescue_bus": "usb"}, "disk", "usb"),
        ({"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"}, "disk", "virtio"),
    ],
)
def test_stable_device_rescue(bench, server, images, properties, device_type, bus):
    images.describe("rescue", **properties)
    rescue(bench, server, images.id_of("rescue"))
    remembered = guest(bench, server).rescue
    assert (remembered["device_type"], remembered["disk_bus"]) == (device_type, bus)
    assert remembered["is_stable"]


def test_a_device_that_no_guest_is_rescued_with(bench, server, images):
    images.describe("rescue", hw_rescue_device="lun")
    rescue(bench, server, images.id_of("rescue"))
    assert shown(bench, server)[:2] == ("error", None)
    assert "lun" in bench.fault(server.uuid)["message"]


def on_a_volume(bench, server):
    """The record of a root disk on a volume; the driver is asked nothing about it."""
    with bench.store.transaction() as records:
        row = records.first("BlockDeviceMapping", instance_uuid=server.uuid)
        fields = {"source_type": "volume", "destination_type": "volume", "volume_id": str(uuid.uuid4())}
        records.update("BlockDeviceMapping", row, fields)


def test_volume_backed_server_on_a_driver_that_cannot(bench, server, images):
    on_a_volume(bench, server)
    images.describe("rescue", hw_rescue_device="disk", hw_rescue_bus="virtio")
    rescue(bench, server, images.id_of("rescue"))
    assert shown(bench, server) == ("active", None, ON)
    assert "boots from a volume" in bench.fault(server.uuid)["message"]
    assert guest(bench, server).boots == 1


@pytest.mark.parametrize("is_stable", [True, False])
def test_volume_backed_server(make_bench, images, is_stable):
    bench = make_bench(compute_driver="fake.RescueBFVDriver")
    object.__setattr__(bench.host, "images", images)
    server = bench.boot()
    on_a_volume(bench, server)
    images.describe("rescue", **({"hw_rescue_device": "disk"} if is_stable else {}))
    rescue(bench, server, images.id_of("rescue"))
    assert shown(bench, server) == ("rescued" if is_stable else "active", None, ON)


@pytest.mark.parametrize(
    "failure",
    [
        errors.ImageNotFound(image_id="x"),
        errors.ImageNotAuthorized(image_id="x"),
        errors.GlanceConnectionFailed(server="glance", reason="timeout"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_image_that_cannot_be_read_changes_nothing(bench, server, images, failure):
    images.failure = failure
    rescue(bench, server)
    assert shown(bench, server) == ("active", None, ON)
    assert guest(bench, server).boots == 1
    assert bench.fault(server.uuid) is not None
    assert bench.events(server.uuid)[-1] == ("compute_rescue_instance", "Error")


@pytest.mark.parametrize("operation", ["power_off", "rescue"])
def test_a_rescue_that_the_driver_fails(bench, server, operation):
    fail(bench, f"{operation}:*:NovaException:1")
    rescue(bench, server)
    assert shown(bench, server)[:2] == ("error", None)
    assert "cannot be rescued" in bench.fault(server.uuid)["message"]
    assert bench.events(server.uuid)[-1] == ("compute_rescue_instance", "Error")
    assert guest(bench, server).rescue is None
    assert "secret-word" not in bench.fault(server.uuid)["details"]


def test_an_unrescue_that_the_driver_fails(bench, server):
    rescue(bench, server)
    fail(bench, "unrescue:*:NovaException:1")
    unrescue(bench, server)
    assert shown(bench, server)[:2] == ("error", None)
    assert guest(bench, server).rescue is not None
    assert bench.events(server.uuid)[-1] == ("compute_unrescue_instance", "Error")


def test_the_password_is_random_when_none_is_given(bench, server, monkeypatch):
    given = []
    monkeypatch.setattr(bench.driver, "rescue", lambda context, spec: given.append(spec))
    bench.conf.set_override("password_length", 20)
    for password in (None, "mine"):
        rescue(bench, server, password=password)
        bench.set_task(server.uuid, None, vm_state="active")
    assert len(given[0].admin_password) == 20
    assert given[1].admin_password == "mine"
    assert "mine" not in repr(given[1])


def test_the_same_rescue_twice(bench, server):
    instance = bench.set_task(server.uuid, "rescuing")
    for _ in range(2):
        bench.begin_action(server.uuid, "rescue")
        bench.cast(
            "rescue_instance",
            instance=instance,
            rescue_password=None,
            rescue_image_ref=None,
            clean_shutdown=False,
        )
        bench.settle()
    assert shown(bench, server) == ("rescued", None, ON)
    assert guest(bench, server).rescue is not None
    assert guest(bench, server).boots == 2
    unrescue(bench, server)
    assert shown(bench, server) == ("active", None, ON)


def test_the_same_unrescue_twice(bench, server):
    rescue(bench, server)
    instance = bench.set_task(server.uuid, "unrescuing")
    for _ in range(2):
        bench.begin_action(server.uuid, "unrescue")
        bench.cast("unrescue_instance", instance=instance)
        bench.settle()
    assert shown(bench, server) == ("active", None, ON)
    assert guest(bench, server).boots == 3


def test_after_the_delete(bench, server):
    instance = bench.set_task(server.uuid, "rescuing")
    bench.delete(server.uuid)
    arguments = {"rescue_password": None, "rescue_image_ref": None, "clean_shutdown": False}
    bench.cast("rescue_instance", instance=instance, **arguments)
    bench.cast("unrescue_instance", instance=instance)
    bench.settle()
    assert bench.is_deleted(server.uuid)
    assert bench.driver.states() == {}


def test_a_deletion_that_has_begun_goes_on(bench, server):
    def mark():
        with bench.store.transaction() as records:
            records.update(
                "Instance", records.first("Instance", uuid=server.uuid), {"task_state": "deleting"}
            )

    instance = bench.set_task(server.uuid, "rescuing")
    bench.watch.before("Instance.save", mark)
    arguments = {"rescue_password": None, "rescue_image_ref": None, "clean_shutdown": False}
    bench.cast("rescue_instance", instance=instance, **arguments)
    bench.settle()
    assert bench.states(server.uuid) == ("active", "deleting")


def test_rescued_server_is_deleted(bench, server):
    rescue(bench, server)
    bench.delete(server.uuid)
    assert bench.is_deleted(server.uuid)
    assert bench.driver.states() == {}
    assert bench.network.ports == {}


def test_a_rescued_server_stays_rescued_through_a_restart(bench, server):
    rescue(bench, server)
    bench.restart()
    assert guest(bench, server).rescue is not None
    unrescue(bench, server)
    assert shown(bench, server) == ("active", None, ON)


# The clock


def poll(bench):
    task = next(task for task in TASKS if task.name == "_poll_rescued_instances")
    if task.gate(bench.host):
        task.run(bench.host, bench.context.elevated())
    assert bench.host.lanes.wait_idle(20)


def age(bench, server, seconds):
    moment = timeutils.utcnow(with_timezone=True) - timedelta(seconds=seconds)
    bench.set_task(server.uuid, None, launched_at=moment)


@pytest.mark.parametrize(
    ("limit", "seconds", "after"), [(60, 120, "active"), (60, 10, "rescued"), (0, 9999, "rescued")]
)
def test_rescues_end_when_their_time_is_over(bench, server, limit, seconds, after):
    rescue(bench, server)
    age(bench, server, seconds)
    bench.conf.set_override("rescue_timeout", limit)
    poll(bench)
    assert bench.states(server.uuid) == (after, None)
    assert (guest(bench, server).rescue is None) is (after == "active")
    actions = [row["action"] for row in bench.rows("InstanceAction", instance_uuid=server.uuid)]
    assert ("unrescue" in actions) is (after == "active")


def test_no_rescued_server_costs_one_question(bench, server):
    bench.conf.set_override("rescue_timeout", 60)
    with bench.counting() as counts:
        poll(bench)
    assert counts.conductor == ["InstanceList.get_by_filters"]


def test_a_rescued_server_that_is_being_worked_on_is_left_alone(bench, server):
    rescue(bench, server)
    age(bench, server, 120)
    bench.conf.set_override("rescue_timeout", 60)
    bench.set_task(server.uuid, "powering-off")
    poll(bench)
    assert bench.states(server.uuid) == ("rescued", "powering-off")
    bench.set_task(server.uuid, None)
    with bench.host.locks.hold(server.uuid):
        poll(bench)
    assert bench.states(server.uuid) == ("rescued", None)
