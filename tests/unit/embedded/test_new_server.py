"""The records of a new server: names, what it remembers of its image, its disks, what does not fit."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from computed import errors, objects
from computed.embedded.flavors import all_flavors, find_flavor
from computed.embedded.new_server import NewServer, disks_of, hostname_of, instance_of, request_spec_of
from computed.embedded.scheduler import resources_of
from computed.embedded.servers import user_context

GIB = 1 << 30


def image(**fields: Any) -> dict[str, Any]:
    return {
        "id": "00000031-0000-4000-8000-000000000031",
        "name": "guest",
        "disk_format": "raw",
        "container_format": "bare",
        "min_ram": 0,
        "min_disk": 0,
        "size": GIB,
        "properties": {"hw_disk_bus": "virtio"},
        **fields,
    }


def order(**fields: Any) -> NewServer:
    return NewServer(**{"name": "web 1", "flavor": find_flavor("m1.nano"), "image": image(), **fields})


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        ("web", "web"),
        ("Web 1_a", "web-1-a"),
        ("-.x.-", "x"),
        ("ü", "server"),
        ("a" * 70, "a" * 63),
        ("..", "server"),
    ],
)
def test_hostname_is_one_that_dns_allows(name: str, hostname: str) -> None:
    assert hostname_of(name) == hostname


def test_instance_remembers_its_image_and_can_be_sent(image_id: str = image()["id"]) -> None:
    instance = instance_of(order(), user_context())
    assert instance.system_metadata["image_hw_disk_bus"] == "virtio"
    assert instance.system_metadata["image_base_image_ref"] == image_id
    assert objects.Instance.obj_from_primitive(instance.obj_to_primitive()).hostname == "web-1"


def test_disks_follow_the_flavor() -> None:
    flavor = find_flavor("m1.nano")
    flavor.ephemeral_gb, flavor.swap = 2, 512
    instance = instance_of(order(flavor=flavor), user_context())
    disks = [(disk.source_type, disk.boot_index, disk.volume_size) for disk in disks_of(instance)]
    assert disks == [("image", 0, None), ("blank", -1, 2), ("blank", -1, 512)]
    assert resources_of(flavor) == {"VCPU": 1, "MEMORY_MB": 128, "DISK_GB": 4}


def test_request_spec_is_complete_enough_to_be_sent() -> None:
    wanted = order(networks=("auto",), address="10.0.0.5")
    spec = request_spec_of(instance_of(wanted, user_context()), wanted)
    back = objects.RequestSpec.obj_from_primitive(spec.obj_to_primitive())
    assert back.flavor.name == "m1.nano"
    assert str(back.requested_networks[0].address) == "10.0.0.5"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"min_ram": 129}, errors.FlavorMemoryTooSmall),
        ({"min_disk": 2}, errors.FlavorDiskTooSmall),
        ({"size": 2 * GIB}, errors.FlavorDiskTooSmall),
    ],
)
def test_image_that_does_not_fit_is_refused(fields: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        order(image=image(**fields)).check()
    order().check()


def test_flavors_are_found_by_name_and_id_and_differ() -> None:
    assert find_flavor("42").name == find_flavor("m1.nano").name
    with pytest.raises(errors.FlavorNotFound):
        find_flavor("m1")
    assert len({flavor.id for flavor in all_flavors()}) == len(all_flavors())


def test_user_data_shows_in_no_repr() -> None:
    secret = base64.b64encode(b"secret").decode()
    assert secret not in repr(order(user_data=secret))
