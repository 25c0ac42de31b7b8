"""Instances: change tracking, lazy loading, names, image metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from oslo_versionedobjects import base as ovo

from computed import objects
from computed.context import get_admin_context
from computed.errors import OrphanedObjectError
from computed.objects.base import ComputedObject

UUID = "00000001-0000-4000-8000-000000000001"


class Conductor(ovo.VersionedObjectIndirectionAPI):
    """Answers class methods with an instance that has what was asked for, and remembers the questions."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, Any]] = []

    def object_action(self, context: Any, objinst: Any, objmethod: str, args: Any, kwargs: Any) -> Any:
        self.asked.append((objinst.obj_name(), objmethod, sorted(objinst.obj_what_changed()), kwargs))
        return {}, None

    def object_class_action_versions(self, *call: Any) -> Any:
        context, name, method, _versions, args, kwargs = call
        self.asked.append((name, method, args, kwargs))
        answers = {"tags": objects.TagList(objects=[]), "metadata": {"a": "b"}, "fault": None}
        wanted = {attr: answers[attr] for attr in kwargs["expected_attrs"]}
        return objects.Instance(context=context, uuid=args[0], **wanted)


@pytest.fixture
def conductor() -> Iterator[Conductor]:
    before, ComputedObject.indirection_api = ComputedObject.indirection_api, Conductor()
    yield ComputedObject.indirection_api
    ComputedObject.indirection_api = before


def loaded(**fields: Any) -> Any:
    instance = objects.Instance(context=get_admin_context(), uuid=UUID, **fields)
    instance.obj_reset_changes()
    return instance


def test_a_change_inside_a_metadata_dictionary_counts() -> None:
    instance = loaded(metadata={"a": "b"}, system_metadata={})
    assert instance.obj_what_changed() == set()
    instance.metadata["a"] = "c"
    instance.system_metadata["clean_attempts"] = "1"
    assert instance.obj_what_changed() == {"metadata", "system_metadata"}
    assert instance.obj_clone().obj_what_changed() == {"metadata", "system_metadata"}
    instance.obj_reset_changes()
    assert instance.obj_what_changed() == set()


def test_a_changed_info_cache_rides_on_the_save_of_the_instance(conductor: Conductor) -> None:
    cache = objects.InstanceInfoCache.new(get_admin_context(), UUID)
    instance = loaded(info_cache=cache, task_state="networking")
    cache.network_info = [{"id": "port"}]
    instance.task_state = "block_device_mapping"
    instance.save(expected_task_state="networking")
    assert conductor.asked == [
        ("Instance", "save", ["info_cache", "task_state"], {"expected_task_state": "networking"})
    ]


def test_a_missing_field_is_fetched_in_one_call_and_counts_as_unchanged(conductor: Conductor) -> None:
    instance = loaded()
    assert instance.metadata == {"a": "b"}
    assert instance.metadata == {"a": "b"}
    instance.load("tags", "fault", "metadata")
    assert instance.fault is None
    assert [asked[1:] for asked in conductor.asked] == [
        ("get_by_uuid", (UUID,), {"expected_attrs": ["metadata"]}),
        ("get_by_uuid", (UUID,), {"expected_attrs": ["tags", "fault"]}),
    ]
    assert instance.obj_what_changed() == set()


def test_without_a_context_nothing_is_fetched(conductor: Conductor) -> None:
    with pytest.raises(OrphanedObjectError):
        _ = objects.Instance(uuid=UUID).metadata
    assert conductor.asked == []


def test_a_field_that_is_never_left_out_is_not_fetched(conductor: Conductor) -> None:
    with pytest.raises(NotImplementedError):
        _ = loaded().host
    assert conductor.asked == []


def test_without_a_conductor_a_remotable_is_refused() -> None:
    with pytest.raises(OrphanedObjectError):
        objects.Service.get_by_host_and_binary(get_admin_context(), "host", "nova-compute")


def test_name_follows_the_template() -> None:
    assert loaded(id=255).name == "instance-000000ff"


def test_image_meta_is_read_from_system_metadata() -> None:
    instance = loaded(
        image_ref="00000002-0000-4000-8000-000000000002",
        system_metadata={
            "image_min_disk": "1",
            "image_hw_disk_bus": "scsi",
            "image_vm_mode": "pv",
            "boot_roles": "x",
        },
    )
    meta = instance.image_meta
    assert (meta.id, meta.min_disk) == ("00000002-0000-4000-8000-000000000002", 1)
    assert meta.properties.get("hw_disk_bus") == "scsi"
    assert meta.properties.get("hw_vm_mode") == "xen"
    assert meta.properties.get("hw_vif_model", "virtio") == "virtio"


def test_a_wrong_image_property_is_named() -> None:
    with pytest.raises(ValueError, match="hw_disk_bus"):
        objects.ImageMeta.from_dict({"properties": {"hw_disk_bus": "carrier-pigeon"}})
