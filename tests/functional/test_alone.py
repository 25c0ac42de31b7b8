"""The one-host cloud as a user meets it: servers, their limits and mishaps, restarts."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import Any

import pytest

from computed import errors
from computed.embedded.cloud import OneHostCloud, places_of
from tests.functional.cloud import Cloud

MakeCloud = Callable[..., Cloud]


def test_server_is_built_with_all_that_belongs_to_it(cloud: Cloud) -> None:
    (uuid,) = cloud.boot(1, name="web")
    row = cloud.row(uuid)
    assert (row["vm_state"], row["host"], row["node"]) == ("active", "alone", "alone")
    assert row["launched_at"] and row["power_state"] == 1
    assert [list(held) for held in cloud.allocations(uuid).values()] == [["DISK_GB", "MEMORY_MB", "VCPU"]]
    (disk,) = cloud.rows("BlockDeviceMapping", instance_uuid=uuid)
    assert disk["boot_index"] == 0 and disk["device_name"]
    (interface,) = cloud.rows("VirtualInterface", instance_uuid=uuid)
    (port,) = cloud.rows("Port", instance_uuid=uuid)
    assert interface["uuid"] == port["uuid"] and interface["address"].startswith(port["mac"])
    assert cloud.events(uuid) == [("compute__do_build_and_run_instance", "Success")]


def test_deleted_server_leaves_nothing_behind(cloud: Cloud) -> None:
    gone, kept = cloud.boot(2)
    cloud.delete(gone)
    assert cloud.uuids() == [kept]
    assert cloud.row(gone)["deleted"] and cloud.row(gone)["vm_state"] == "deleted"
    assert cloud.allocations(gone) == {}
    assert cloud.rows("Port", instance_uuid=gone) == []
    assert all(disk["deleted"] for disk in cloud.rows("BlockDeviceMapping", instance_uuid=gone))
    assert set(cloud.host.driver.states()) == {kept}


def test_power_verbs(cloud: Cloud) -> None:
    (uuid,) = cloud.boot(1)
    cloud.verb(uuid, "stop")
    assert (cloud.row(uuid)["vm_state"], cloud.row(uuid)["power_state"]) == ("stopped", 4)
    cloud.verb(uuid, "start")
    assert (cloud.row(uuid)["vm_state"], cloud.row(uuid)["power_state"]) == ("active", 1)
    cloud.verb(uuid, "reboot", hard=True)
    cloud.verb(uuid, "reboot", hard=False)
    assert [event for event, result in cloud.events(uuid)] == [
        "compute__do_build_and_run_instance",
        "compute_stop_instance",
        "compute_start_instance",
        "compute_reboot_instance",
        "compute_reboot_instance",
    ]
    assert {result for event, result in cloud.events(uuid)} == {"Success"}
    assert "BOOT 4" in cloud.embedded.servers.console(_context(), uuid, None)


def _context() -> Any:
    from computed.embedded.servers import user_context

    return user_context()


def test_verb_that_the_state_does_not_allow_is_refused_and_changes_nothing(cloud: Cloud) -> None:
    (uuid,) = cloud.boot(1)
    with pytest.raises(errors.InstanceInvalidState):
        cloud.embedded.servers.start(_context(), uuid)
    assert cloud.row(uuid)["task_state"] is None
    assert len(cloud.events(uuid)) == 1


def test_server_without_room_ends_in_error_and_says_why(make_cloud: MakeCloud) -> None:
    cloud = make_cloud({"fake.vcpus": 1, "cpu_allocation_ratio": 1.0})
    cloud.boot(1)
    (uuid,) = cloud.boot(1, wait=False)
    cloud.wait_for(uuid, vm_state="error", task_state=None)
    assert "no node has room for" in cloud.faults(uuid)[0]
    assert cloud.allocations(uuid) == {}
    cloud.delete(uuid)


def test_build_that_fails_is_tried_on_the_next_node(make_cloud: MakeCloud) -> None:
    cloud = make_cloud({"fake.nodes": ["n1", "n2"], "fake.fail": ["spawn:*:NovaException:1"]})
    (uuid,) = cloud.boot(1)
    nodes = {row["uuid"]: row["hypervisor_hostname"] for row in cloud.rows("ComputeNode")}
    assert [nodes[provider] for provider in cloud.allocations(uuid)] == [cloud.row(uuid)["node"]]
    events = [event for event in cloud.events(uuid) if event[0] == "compute__do_build_and_run_instance"]
    assert len(events) == 2
    assert len(cloud.rows("Port", instance_uuid=uuid)) == 1


def test_build_that_fails_everywhere_ends_in_error(cloud: Cloud) -> None:
    cloud.conf.set_override("fail", ["spawn:*:NovaException"], group="fake")
    (uuid,) = cloud.boot(1, wait=False)
    cloud.wait_for(uuid, vm_state="error", task_state=None)
    cloud.settle()
    assert "there is no other node" in cloud.faults(uuid)[-1]
    assert cloud.allocations(uuid) == {}
    assert cloud.rows("Port", instance_uuid=uuid) == []
    cloud.delete(uuid)
    assert cloud.uuids() == []


def test_server_that_is_deleted_while_it_is_built_is_gone(make_cloud: MakeCloud) -> None:
    cloud = make_cloud({"fake.delays": {"spawn": "0.3"}})
    (uuid,) = cloud.boot(1, wait=False)
    cloud.wait_for(uuid, task_state="spawning")
    cloud.delete(uuid)
    cloud.settle()
    assert cloud.row(uuid)["deleted"]
    assert cloud.allocations(uuid) == {}
    assert cloud.rows("Port", instance_uuid=uuid) == []
    assert cloud.host.driver.states() == {}


def test_addresses_differ_and_are_given_again(make_cloud: MakeCloud) -> None:
    cloud = make_cloud({"alone.cidr": "10.1.2.0/29"})
    uuids = cloud.boot(5)
    ports = cloud.rows("Port")
    assert {port["address"] for port in ports} == {f"10.1.2.{last}" for last in range(2, 7)}
    assert len({port["mac"] for port in ports}) == 5
    (late,) = cloud.boot(1, wait=False)
    cloud.wait_for(late, vm_state="error")
    cloud.delete(uuids[0], late)
    (again,) = cloud.boot(1)
    assert cloud.rows("Port", instance_uuid=again)[0]["address"] == "10.1.2.2"


def test_server_may_want_a_certain_address_or_no_network(cloud: Cloud) -> None:
    (fixed,) = cloud.boot(1, address="192.168.222.77")
    (none,) = cloud.boot(1, networks=("none",))
    assert cloud.rows("Port")[0]["address"] == "192.168.222.77"
    assert len(cloud.rows("Port")) == 1
    assert cloud.instance(none).info_cache.network_info == []
    (clash,) = cloud.boot(1, address="192.168.222.77", wait=False)
    cloud.wait_for(clash, vm_state="error")
    assert cloud.rows("Port", instance_uuid=fixed)


def test_servers_outlive_the_agent(cloud: Cloud) -> None:
    uuids = cloud.boot(3)
    cloud.verb(uuids[0], "stop")
    cloud.restart_agent()
    assert {cloud.row(uuid)["vm_state"] for uuid in uuids[1:]} == {"active"}
    cloud.verb(uuids[0], "start")
    cloud.delete(*uuids)
    assert len(cloud.rows("ComputeNode")) == len(cloud.rows("Service")) == 1


def test_verb_sent_while_the_agent_is_dead_is_done_when_it_is_back(cloud: Cloud) -> None:
    (uuid,) = cloud.boot(1)
    cloud.kill_agent()
    cloud.embedded.servers.stop(_context(), uuid)
    cloud.start_agent()
    cloud.wait_for(uuid, vm_state="stopped", task_state=None)


def test_whole_cloud_is_found_again_after_a_restart(make_cloud: MakeCloud) -> None:
    cloud = make_cloud()
    (uuid,) = cloud.boot(1)
    address = cloud.rows("Port")[0]["address"]
    cloud.close()
    again = Cloud(cloud.directory, None, cloud.executor, {})
    try:
        assert again.uuids() == [uuid]
        assert again.rows("Port", instance_uuid=uuid)[0]["address"] == address
        again.verb(uuid, "stop")
        (new,) = again.boot(1)
        assert again.rows("Port", instance_uuid=new)[0]["address"] != address
    finally:
        again.close()


def test_socket_is_the_users_alone_and_a_second_agent_is_refused(cloud: Cloud) -> None:
    assert stat.S_IMODE(cloud.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(cloud.directory.stat().st_mode) == 0o700
    with pytest.raises(errors.StartRefused, match="another agent"):
        OneHostCloud(cloud.conf, places_of(cloud.conf))


def test_event_of_an_unknown_instance_action_does_not_stop_a_boot(cloud: Cloud) -> None:
    error = errors.InstanceActionNotFound(request_id="r", instance_uuid="u")
    cloud.trouble("InstanceActionEvent", "event_finish", error)
    (uuid,) = cloud.boot(1)
    assert cloud.row(uuid)["vm_state"] == "active"
