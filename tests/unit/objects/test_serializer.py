"""Reading objects of other versions, and what is no object of ours."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from oslo_versionedobjects.exception import IncompatibleObjectVersion, UnsupportedObjectError

from computed import objects
from computed.context import get_admin_context
from computed.objects.base import ComputedObjectSerializer

UUID = "00000001-0000-4000-8000-000000000001"


def envelope(
    version: str = "2.8", name: str = "Instance", namespace: str = "nova", **data: Any
) -> dict[str, Any]:
    return {
        "nova_object.name": name,
        "nova_object.namespace": namespace,
        "nova_object.version": version,
        "nova_object.data": {"uuid": UUID, **data},
    }


def read(entity: Any) -> Any:
    return ComputedObjectSerializer().deserialize_entity(get_admin_context(), copy.deepcopy(entity))


@pytest.mark.parametrize("version", ["2.8", "2.0", "2.8.1"])
def test_our_version_older_ones_and_their_stable_parts_are_read(version: str) -> None:
    assert read(envelope(version)).uuid == UUID


@pytest.mark.parametrize("version", ["2.9", "3.0", "1.0"])
def test_without_a_conductor_other_versions_are_refused(version: str) -> None:
    with pytest.raises(IncompatibleObjectVersion):
        read(envelope(version))


def test_a_newer_object_goes_to_the_conductor_with_our_versions(conductor: Any) -> None:
    conductor.backported = objects.Instance(uuid=UUID)
    assert read([envelope("2.9")]) == [conductor.backported]
    (sent, versions) = conductor.backports[0]
    assert sent["nova_object.version"] == "2.9"
    assert (versions["Instance"], versions["Flavor"]) == ("2.8", "1.2")


@pytest.mark.parametrize(
    "unknown", [envelope(name="Teapot"), envelope(namespace="os_vif"), envelope(name="VIFBase")]
)
def test_what_nobody_here_knows_is_named(unknown: dict[str, Any]) -> None:
    with pytest.raises((UnsupportedObjectError, IncompatibleObjectVersion)) as caught:
        read(unknown)
    assert unknown["nova_object.name"] in str(caught.value)


def test_objects_are_found_wherever_they_stand_in_a_message(conductor: Any) -> None:
    message = {"instance": envelope(), "list": [1, {"deep": envelope()}]}
    found = read(message)
    again = ComputedObjectSerializer().serialize_entity(get_admin_context(), found)
    assert isinstance(found["list"][1]["deep"], objects.Instance)
    assert again == message
