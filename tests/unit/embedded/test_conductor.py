"""The embedded conductor through its door: states, errors and encodings are those of a real one."""

from __future__ import annotations

import threading
from typing import Any

import oslo_messaging as messaging
import pytest
from oslo_utils import uuidutils

from computed import errors, objects
from computed.embedded.store import Store

from .conftest import Caller


def new_instance(caller: Caller, **fields: Any) -> objects.Instance:
    values = {"uuid": uuidutils.generate_uuid(), "vm_state": "building", "project_id": "p", "user_id": "u"}
    flavor = objects.Flavor(
        id=1, name="m1.nano", flavorid="42", memory_mb=64, vcpus=1, root_gb=1, ephemeral_gb=0, swap=0
    )
    instance = objects.Instance(**{**values, **fields}, flavor=flavor, old_flavor=None, new_flavor=None)
    instance.system_metadata = {"image_base_image_ref": "i"}
    caller.act(instance, "create")
    return instance


def fetch(caller: Caller, uuid: str, *attrs: str) -> objects.Instance:
    primitive = caller.ask("Instance", "get_by_uuid", uuid, expected_attrs=list(attrs))
    return objects.Instance.obj_from_primitive(primitive)


def test_created_instance_comes_back_with_the_parts_asked_for_and_no_others(caller: Caller) -> None:
    instance = new_instance(caller, host="h", display_name="one")
    assert instance.id == 1
    assert instance.obj_what_changed() == set()
    found = fetch(caller, instance.uuid, "flavor", "system_metadata")
    assert (found.host, found.display_name, found.flavor.name) == ("h", "one", "m1.nano")
    assert found.system_metadata == {"image_base_image_ref": "i"}
    assert found.old_flavor is None
    for absent in ("info_cache", "metadata", "pci_devices", "numa_topology"):
        assert not found.obj_attr_is_set(absent)


def test_default_of_get_by_uuid_is_the_info_cache(caller: Caller) -> None:
    uuid = new_instance(caller).uuid
    found = objects.Instance.obj_from_primitive(caller.ask("Instance", "get_by_uuid", uuid))
    assert found.info_cache.instance_uuid == uuid
    assert not found.obj_attr_is_set("flavor")


def test_save_keeps_changes_when_the_task_state_is_the_expected_one(caller: Caller) -> None:
    instance = new_instance(caller, task_state="scheduling")
    instance.task_state = "networking"
    caller.act(instance, "save", expected_task_state=["scheduling", None])
    assert fetch(caller, instance.uuid).task_state == "networking"


@pytest.mark.parametrize(
    ("there", "expected", "error"),
    [
        ("deleting", ["spawning"], "UnexpectedDeletingTaskStateError"),
        ("rebooting", ["spawning"], "UnexpectedTaskStateError"),
        (None, "spawning", "UnexpectedTaskStateError"),
        ("spawning", [None], "UnexpectedTaskStateError"),
    ],
)
def test_save_refuses_another_task_state_and_changes_nothing(
    caller: Caller, there: str | None, expected: Any, error: str
) -> None:
    instance = new_instance(caller, task_state=there)
    instance.vm_state = "active"
    with pytest.raises(errors.NovaException) as raised:
        caller.act(instance, "save", expected_task_state=expected)
    assert type(raised.value).__name__ == f"{error}_Remote"
    assert raised.value.kwargs["actual"] == {"task_state": there}
    assert fetch(caller, instance.uuid).vm_state == "building"


def test_save_refuses_another_vm_state(caller: Caller) -> None:
    instance = new_instance(caller)
    instance.display_name = "x"
    with pytest.raises(errors.InstanceUpdateConflict):
        caller.act(instance, "save", expected_vm_state=["active"])


def test_node_cannot_change_without_compute_id(caller: Caller) -> None:
    instance = new_instance(caller)
    instance.node = "n"
    with pytest.raises(errors.ObjectActionError):
        caller.act(instance, "save")


def test_info_cache_is_saved_with_its_instance(caller: Caller) -> None:
    uuid = new_instance(caller).uuid
    found = fetch(caller, uuid, "info_cache")
    found.info_cache.network_info = objects.network_model.NetworkInfo.hydrate(
        [{"id": "port", "address": "a"}]
    )
    found.task_state = "spawning"
    caller.act(found, "save")
    assert found.obj_what_changed() == set()
    again = fetch(caller, uuid, "info_cache")
    assert [vif["id"] for vif in again.info_cache.network_info] == ["port"]


def test_destroyed_instance_is_seen_by_those_who_read_deleted(caller: Caller) -> None:
    instance = new_instance(caller, host="h")
    caller.act(instance, "destroy")
    with pytest.raises(errors.InstanceNotFound):
        fetch(caller, instance.uuid)
    caller.context.read_deleted = "yes"
    assert fetch(caller, instance.uuid).deleted is True
    with pytest.raises(errors.InstanceNotFound):
        caller.act(instance, "destroy")


def test_instance_that_got_a_host_meanwhile_is_not_destroyed(caller: Caller) -> None:
    instance = new_instance(caller)
    other = fetch(caller, instance.uuid)
    other.host = "h"
    caller.act(other, "save")
    with pytest.raises(errors.ObjectActionError):
        caller.act(instance, "destroy")


def test_lists_by_host_state_and_time(caller: Caller) -> None:
    here = [new_instance(caller, host="h", node="n", compute_id=1).uuid for _ in range(3)]
    there = new_instance(caller, host="other", vm_state="active").uuid

    def uuids(primitive: Any) -> set[str]:
        return {item["nova_object.data"]["uuid"] for item in primitive["nova_object.data"]["objects"]}

    assert uuids(caller.ask("InstanceList", "get_by_host", "h")) == set(here)
    assert uuids(caller.ask("InstanceList", "get_by_host_and_node", "h", "n")) == set(here)
    assert caller.ask("InstanceList", "get_uuids_by_host", "h") == here
    filters = {"vm_state": "building", "host": "h", "deleted": False}
    assert uuids(caller.ask("InstanceList", "get_by_filters", filters, limit=2)) < set(here)
    assert uuids(caller.ask("InstanceList", "get_by_filters", {"vm_state": ["active"]})) == {there}
    assert uuids(caller.ask("InstanceList", "get_by_filters", {"uuid": []})) == set()


def test_events_of_an_action_go_by_the_request_id(caller: Caller) -> None:
    instance = new_instance(caller)
    with pytest.raises(errors.InstanceActionNotFound):
        caller.ask("InstanceActionEvent", "event_start", instance.uuid, "compute_stop_instance")
    with caller.store.transaction() as records:
        records.insert(
            "InstanceAction",
            {"instance_uuid": instance.uuid, "request_id": caller.context.request_id, "action": "stop"},
        )
    event = caller.ask("InstanceActionEvent", "event_start", instance.uuid, "compute_stop_instance", host="h")
    assert event["nova_object.data"]["host"] == "h"
    done = caller.ask(
        "InstanceActionEvent",
        "event_finish_with_failure",
        instance.uuid,
        "compute_stop_instance",
        exc_val="broken",
        exc_tb="trace",
        want_result=True,
    )["nova_object.data"]
    assert (done["result"], done["details"], done["traceback"]) == ("Error", "broken", "trace")
    with pytest.raises(errors.InstanceActionEventNotFound):
        caller.ask("InstanceActionEvent", "event_finish", instance.uuid, "compute_start_instance")


def new_node(uuid: str) -> objects.ComputeNode:
    node = objects.ComputeNode(uuid=uuid, host="h", hypervisor_hostname="n")
    for name in ("vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used"):
        setattr(node, name, 1)
    node.hypervisor_type, node.hypervisor_version = "fake", 1
    return node


def test_service_and_compute_node(caller: Caller) -> None:
    assert caller.ask("Service", "get_by_host_and_binary", "h", "nova-compute") is None
    service = objects.Service(host="h", binary="nova-compute", topic="compute")
    caller.act(service, "create")
    assert service.report_count == 0
    with pytest.raises(errors.ServiceBinaryExists):
        caller.act(objects.Service(host="h", binary="nova-compute", topic="compute"), "create")
    service.report_count += 1
    caller.act(service, "save")
    assert service.last_seen_up is not None
    assert caller.ask("Service", "get_minimum_version", "nova-compute") == service.version
    with pytest.raises(errors.ComputeHostNotFound):
        caller.ask("ComputeNodeList", "get_all_by_host", "h")
    node = new_node(uuidutils.generate_uuid())
    caller.act(node, "create")
    with pytest.raises(errors.DuplicateRecord):
        caller.act(new_node(node.uuid), "create")
    found = caller.ask("ComputeNode", "get_by_uuid", node.uuid)
    assert objects.ComputeNode.obj_from_primitive(found).vcpus == 1
    caller.act(node, "destroy")
    with pytest.raises(errors.ComputeHostNotFound):
        caller.act(node, "save")


def test_unknown_objects_methods_and_versions_are_refused(caller: Caller) -> None:
    with pytest.raises(errors.ObjectActionError, match=r"Instance\.frobnicate"):
        caller.ask("Instance", "frobnicate")
    with pytest.raises(messaging.RemoteError, match="UnsupportedObjectError"):
        caller.ask("Toaster", "get", versions={"Toaster": "1.0"})
    with pytest.raises(messaging.RemoteError, match="IncompatibleObjectVersion"):
        caller.ask("Instance", "get_by_uuid", "x", versions={"Instance": "2.99"})
    with pytest.raises(TypeError):
        caller.ask("Instance", "get_by_uuid", "x", "y", "z", "too", "many")


def test_older_caller_gets_the_version_it_knows(caller: Caller) -> None:
    uuid = new_instance(caller).uuid
    versions = {"Instance": "2.7", "InstanceInfoCache": "1.5", "Flavor": "1.2"}
    found = caller.ask("Instance", "get_by_uuid", uuid, versions=versions)
    assert found["nova_object.version"] == "2.7"


def test_answers_name_no_changes_and_reuse_nothing_of_the_request(caller: Caller) -> None:
    instance = new_instance(caller)
    found = caller.ask("Instance", "get_by_uuid", instance.uuid, expected_attrs=["flavor"])
    assert "nova_object.changes" not in str(found)


def test_records_survive_reopening_of_the_file(caller: Caller, tmp_path: Any) -> None:
    uuid = new_instance(caller).uuid
    second = Store(tmp_path / "store.db")  # as after kill -9: the first one is not closed
    with second.transaction() as records:
        row = records.first("Instance", uuid=uuid)
    second.close()
    assert row is not None and row["vm_state"] == "building"


def test_many_threads_write_without_losing_an_update(caller: Caller) -> None:
    uuids = [new_instance(caller, host="h").uuid for _ in range(4)]
    failures: list[BaseException] = []

    def work(uuid: str) -> None:
        try:
            for step in range(10):
                instance = fetch(caller, uuid)
                instance.progress = step
                caller.act(instance, "save")
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(uuid,)) for uuid in uuids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not failures
    assert {fetch(caller, uuid).progress for uuid in uuids} == {9}


def test_interceptor_stands_round_every_call(caller: Caller) -> None:
    seen: list[tuple[str, str]] = []

    def intercept(name: str, method: str, proceed: Any) -> Any:
        seen.append((name, method))
        if method == "save":
            raise errors.InstanceNotFound(instance_id="planted")
        return proceed()

    caller.endpoint.intercept = intercept
    instance = new_instance(caller)
    instance.progress = 1
    with pytest.raises(errors.InstanceNotFound, match="planted"):
        caller.act(instance, "save")
    assert seen == [("Instance", "create"), ("Instance", "save")]
