"""Starting, stopping and starting again, with records that somebody else keeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from computed import errors
from tests.functional.cloud import HOST, Cloud


def _identity(cloud: Cloud) -> Path:
    return Path(cloud.conf.state_path) / "compute_id"


def _services(cloud: Cloud) -> list[dict[str, Any]]:
    return [row for row in cloud.rows("Service") if row["binary"] == "nova-compute"]


def test_a_first_start_registers_the_host(cloud: Cloud) -> None:
    [service] = _services(cloud)
    [node] = cloud.rows("ComputeNode")
    assert (service["host"], service["topic"], service["version"]) == (HOST, "compute", 74)
    assert (node["host"], node["uuid"]) == (HOST, _identity(cloud).read_text())


def test_a_restart_registers_nothing_anew(cloud: Cloud) -> None:
    before = [row["uuid"] for row in _services(cloud) + cloud.rows("ComputeNode")]
    cloud.restart_agent()
    assert [row["uuid"] for row in _services(cloud) + cloud.rows("ComputeNode")] == before


def test_a_fake_host_that_lost_its_identity_takes_up_the_recorded_one(cloud: Cloud) -> None:
    uuids = cloud.boot(2)
    identity = _identity(cloud).read_text()
    cloud.stop_agent()
    _identity(cloud).unlink()
    cloud.start_agent()
    assert _identity(cloud).read_text() == identity
    assert [row["uuid"] for row in cloud.rows("ComputeNode")] == [identity]
    for uuid in uuids:
        assert cloud.row(uuid)["vm_state"] == "active"


def test_so_does_each_of_several_nodes(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud({"fake.nodes": ["n1", "n2", "n3"]})
    before = {row["hypervisor_hostname"]: row["uuid"] for row in cloud.rows("ComputeNode")}
    assert sorted(before) == ["n1", "n2", "n3"]
    cloud.stop_agent()
    _identity(cloud).unlink()
    cloud.start_agent()
    cloud.run_periodic("update_available_resource")
    assert {row["hypervisor_hostname"]: row["uuid"] for row in cloud.rows("ComputeNode")} == before


def test_a_driver_with_identities_of_its_own_does_not_start_without_its_file(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.stop_agent()
    _identity(cloud).unlink()
    monkeypatch.setattr("computed.virt.fake.driver.FakeHost.can_adopt_nodes", False)
    nodes = cloud.rows("ComputeNode")
    with pytest.raises(errors.InvalidConfiguration, match="identity file"):
        cloud.start_agent()
    cloud.service = None
    assert cloud.rows("ComputeNode") == nodes
    assert not _identity(cloud).exists()


def test_an_old_compute_keeps_the_others_from_starting(cloud: Cloud) -> None:
    cloud.stop_agent()
    row = dict(_services(cloud)[0])
    for name in ("id", "uuid", "created_at", "updated_at"):
        row.pop(name, None)
    with cloud.embedded.store.transaction() as records:
        records.insert("Service", {**row, "host": "old-host", "version": 60})
    with pytest.raises(errors.TooOldComputeService):
        cloud.start_agent()
    cloud.service = None


def test_stopping_an_idle_agent_takes_no_time(cloud: Cloud) -> None:
    began = time.monotonic()
    assert cloud.stop_agent()
    assert time.monotonic() - began < 3


def test_a_boot_in_flight_is_finished_before_the_agent_stops(cloud: Cloud) -> None:
    go = threading.Event()

    def late(proceed: Callable[[], Any]) -> Any:
        assert go.wait(10)
        return proceed()

    cloud.trouble("Instance", "save", late, nth=2)
    (uuid,) = cloud.boot(1, wait=False)
    cloud.wait(lambda: cloud.parts.manager.inflight.counts(), "the boot to arrive")
    threading.Timer(0.5, go.set).start()
    assert cloud.stop_agent()
    assert (cloud.row(uuid)["vm_state"], cloud.row(uuid)["task_state"]) == ("active", None)


def test_what_arrives_while_the_agent_is_down_is_done_when_it_is_back(cloud: Cloud) -> None:
    (uuid,) = cloud.boot(1)
    cloud.stop_agent()
    cloud.set_fields(uuid, task_state="powering-off")
    cloud.rpc.cast("stop_instance", instance=cloud.instance(uuid), clean_shutdown=True)
    time.sleep(0.2)
    assert cloud.row(uuid)["vm_state"] == "active"
    cloud.start_agent()
    cloud.wait_for(uuid, vm_state="stopped", task_state=None)


def test_a_verb_that_hangs_does_not_hold_the_agent_for_ever(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud({"manager_shutdown_timeout": 1, "graceful_shutdown_timeout": 2})
    (uuid,) = cloud.boot(1)
    go = threading.Event()
    cloud.trouble("InstanceActionEvent", "event_start", lambda proceed: (go.wait(20), proceed())[1])
    cloud.set_fields(uuid, task_state="powering-off")
    cloud.rpc.cast("stop_instance", instance=cloud.instance(uuid), clean_shutdown=True)
    cloud.wait(lambda: "stop_instance" in cloud.parts.manager.inflight.counts(), "the cast to arrive")
    began = time.monotonic()
    assert not cloud.stop_agent()
    assert time.monotonic() - began < 6
    go.set()


def test_the_heartbeat_reaches_the_record(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud({"report_interval": 1})
    count = _services(cloud)[0]["report_count"]
    cloud.wait(lambda: _services(cloud)[0]["report_count"] >= count + 1, "a heartbeat")
    [service] = _services(cloud)
    assert service["last_seen_up"] is not None
