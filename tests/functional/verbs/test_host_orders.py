"""Orders to the host, and its cache of images."""

import json
import time

import pytest

from computed import errors
from computed.embedded.images import ImageDirectory
from computed.periodic.table import TASKS
from computed.steps import storage_users


@pytest.mark.parametrize("action", ["startup", "shutdown", "reboot"])
def test_power_action(bench, action):
    assert bench.call("host_power_action", action=action) == action


@pytest.mark.parametrize(("mode", "answer"), [(True, "on_maintenance"), (False, "off_maintenance")])
def test_maintenance(bench, mode, answer):
    assert bench.call("host_maintenance_mode", host="any", mode=mode) == answer


@pytest.mark.parametrize(
    ("method", "operation", "arguments"),
    [
        ("host_power_action", "power_action", {"action": "reboot"}),
        ("host_maintenance_mode", "maintenance_mode", {"host": "any", "mode": True}),
    ],
)
def test_orders_that_the_driver_fails(bench, method, operation, arguments):
    bench.conf.set_override("fail", [f"{operation}:*:HypervisorUnavailable"], "fake")
    with pytest.raises(errors.HypervisorUnavailable):
        bench.call(method, **arguments)
    assert bench.notices.told == [(None, f"exception {method}", "HypervisorUnavailable", None, None)]


# The cache


@pytest.fixture
def images(tmp_path):
    directory = tmp_path / "images"
    directory.mkdir()
    for name in ("one", "two"):
        (directory / f"{name}.raw").write_bytes(b"\0" * 512)
    return ImageDirectory(directory)


def bench_with(make_bench, images, driver="fake.FakeDriverWithCaching"):
    bench = make_bench(compute_driver=driver)
    object.__setattr__(bench.host, "images", images)
    return bench


def test_images_are_fetched_once(make_bench, images):
    bench = bench_with(make_bench, images)
    one, two = images.find("one")["id"], images.find("two")["id"]
    assert bench.call("cache_images", image_ids=[one]) == {one: "cached"}
    assert bench.call("cache_images", image_ids=[one, two]) == {one: "existing", two: "cached"}


def test_one_bad_image_does_not_stop_the_others(make_bench, images):
    bench = bench_with(make_bench, images)
    one = images.find("one")["id"]
    assert bench.call("cache_images", image_ids=["nowhere", one]) == {"nowhere": "error", one: "cached"}
    assert bench.call("cache_images", image_ids=["nowhere"]) == {"nowhere": "error"}


def test_driver_without_a_cache(make_bench, images):
    bench = bench_with(make_bench, images, "fake.FakeDriver")
    one = images.find("one")["id"]
    assert bench.call("cache_images", image_ids=[one]) == {one: "unsupported"}


def clean(bench, told, monkeypatch):
    monkeypatch.setattr(
        bench.driver,
        "manage_image_cache",
        lambda context, instances: told.append(sorted(instance.uuid for instance in instances)),
    )
    task = next(task for task in TASKS if task.name == "_run_image_cache_manager_pass")
    assert task.gate(bench.host)
    task.run(bench.host, bench.context.elevated())


def test_the_driver_is_told_of_all_that_may_use_the_cache(bench, tmp_path, monkeypatch):
    instances = tmp_path / "instances"
    bench.conf.set_override("instances_path", str(instances))
    ours, softly_deleted, neighbours, strangers, gone = (bench.boot(f"web-{n}") for n in range(5))
    bench.set_task(softly_deleted.uuid, None, vm_state="soft-delete")
    bench.set_task(neighbours.uuid, None, host="neighbour")
    bench.set_task(strangers.uuid, None, host="stranger")
    bench.delete(gone.uuid)
    storage_users.sign(instances, "neighbour")
    told = []
    with bench.counting() as counts:
        clean(bench, told, monkeypatch)
    assert told == [sorted([ours.uuid, softly_deleted.uuid, neighbours.uuid])]
    assert counts.conductor == ["InstanceList.get_by_filters"]


def test_no_cache_no_cleaning(bench, monkeypatch):
    monkeypatch.setattr(bench.driver._variant.__class__, "capabilities", {"has_imagecache": False})
    task = next(task for task in TASKS if task.name == "_run_image_cache_manager_pass")
    assert not task.gate(bench.host)


# Who uses the same storage


def test_registry_is_the_one_of_stock(tmp_path):
    """Contract: host_files.json, registry."""
    assert storage_users.sign(tmp_path, "a") == ["a"]
    assert sorted(storage_users.sign(tmp_path, "b")) == ["a", "b"]
    signed = json.loads((tmp_path / "compute_nodes").read_text())
    assert set(signed) == {"a", "b"}
    assert all(abs(moment - time.time()) < 60 for moment in signed.values())
    assert (tmp_path / "locks" / "nova-storage-registry-lock").exists()


def test_hosts_that_have_not_signed_for_a_day_are_forgotten(tmp_path):
    now = time.time()
    (tmp_path / "compute_nodes").write_text(json.dumps({"old": now - 90_000, "new": now - 80_000}))
    assert sorted(storage_users.sign(tmp_path, "a")) == ["a", "new"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": "soon"}', "null"])
def test_registry_that_makes_no_sense(tmp_path, text):
    (tmp_path / "compute_nodes").write_text(text)
    assert storage_users.sign(tmp_path, "a") == ["a"]
    assert set(json.loads((tmp_path / "compute_nodes").read_text())) == {"a"}


def test_registry_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    assert storage_users.sign(tmp_path / "file", "a") == ["a"]
