"""Instances: change tracking, lazy loading, names, image metadata."""

from __future__ import annotations

from typing import Any

import pytest

from computed import objects
from computed.conf import CONF
from computed.context import get_admin_context
from computed.errors import OrphanedObjectError

UUID = "00000001-0000-4000-8000-000000000001"


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


def test_without_a_context_nothing_is_fetched(conductor: Any) -> None:
    with pytest.raises(OrphanedObjectError):
        _ = objects.Instance(uuid=UUID).metadata
    assert conductor.class_calls == []


def test_a_field_that_is_never_left_out_is_not_fetched(conductor: Any) -> None:
    with pytest.raises(NotImplementedError):
        _ = loaded().host
    assert conductor.class_calls == []


def test_without_a_conductor_a_remotable_is_refused() -> None:
    with pytest.raises(OrphanedObjectError):
        objects.Service.get_by_host_and_binary(get_admin_context(), "host", "nova-compute")


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("instance-%08x", "instance-000000ff"),
        ("guest-%(uuid)s", f"guest-{UUID}"),
        ("%(hostname)s-%(uuid)s", UUID),
    ],
)
def test_name_follows_the_template(template: str, name: str) -> None:
    CONF.set_override("instance_name_template", template)
    try:
        assert loaded(id=255).name == name
    finally:
        CONF.clear_override("instance_name_template")


def test_what_is_known_of_the_network() -> None:
    cache = objects.InstanceInfoCache.new(get_admin_context(), UUID)
    cache.network_info = [{"id": "port"}]
    assert [vif["id"] for vif in loaded(info_cache=cache).get_network_info()] == ["port"]
    assert loaded(info_cache=None).get_network_info() == []


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
