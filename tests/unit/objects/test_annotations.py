"""The types that a reader of an object's source sees are those of its fields."""

from __future__ import annotations

import pytest

from computed import objects

ANNOTATED = [
    "BlockDeviceMapping",
    "ComputeNode",
    "Flavor",
    "Instance",
    "Migration",
    "NetworkRequest",
    "Service",
]


@pytest.mark.parametrize("name", ANNOTATED)
def test_every_field_is_annotated_and_may_be_none_when_it_may_be_null(name: str) -> None:
    cls = getattr(objects, name)
    said = {field: annotation.endswith("| None") for field, annotation in cls.__annotations__.items()}
    assert said == {field: declared.nullable for field, declared in cls.fields.items()}
