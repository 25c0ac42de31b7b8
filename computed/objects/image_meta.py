"""Image metadata as the agent reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, register
from computed.objects.image_meta_props import ImageMetaProps

_REMEMBERED_PREFIX = "image_"
_REMEMBERED_ATTRIBUTES = frozenset({"container_format", "disk_format", "min_disk", "min_ram"})
_TOO_LONG_TO_REMEMBER = frozenset(
    {"block_device_mapping", "img_block_device_mapping", "img_mappings", "mappings"}
)
_EMPTY_FOR_NONE = {
    **dict.fromkeys(("checksum", "container_format", "disk_format", "name", "owner"), ""),
    **dict.fromkeys(("size", "virtual_size"), 0),
}
"""Attributes that glance has as null and that were not nullable when the first computes read them."""


@register
class ImageMeta(ComputedObject):
    """An image as the image service describes it."""

    VERSION = "1.8"
    fields = {
        "checksum": fields.StringField(),
        "container_format": fields.StringField(),
        "created_at": fields.DateTimeField(nullable=True),
        "direct_url": fields.StringField(),
        "disk_format": fields.StringField(),
        "id": fields.UUIDField(),
        "min_disk": fields.IntegerField(),
        "min_ram": fields.IntegerField(),
        "name": fields.StringField(),
        "owner": fields.StringField(),
        "properties": fields.ObjectField("ImageMetaProps"),
        "protected": fields.FlexibleBooleanField(),
        "size": fields.IntegerField(),
        "status": fields.StringField(),
        "tags": fields.ListOfStringsField(),
        "updated_at": fields.DateTimeField(nullable=True),
        "virtual_size": fields.IntegerField(),
        "visibility": fields.StringField(),
    }

    @classmethod
    def from_dict(cls, image: Mapping[str, Any] | None) -> ImageMeta:
        """The object of an image dictionary as it travels in RPC arguments; unknown keys are ignored.

        Raises ValueError when a value cannot be what its field must be.
        """
        image = image or {}
        known = {key: image[key] for key in cls.fields if key in image and key != "properties"}
        for key, empty in _EMPTY_FOR_NONE.items():
            if key in known and known[key] is None:
                known[key] = empty
        return cls(properties=ImageMetaProps.from_dict(image.get("properties") or {}), **known)

    @classmethod
    def from_system_metadata(cls, system_metadata: Mapping[str, Any], image_ref: str | None) -> ImageMeta:
        """The image as an instance remembers it: `image_` keys of its system metadata, all of them text."""
        image: dict[str, Any] = {"properties": {}}
        for key, value in system_metadata.items():
            name = key.removeprefix(_REMEMBERED_PREFIX)
            if name == key or value is None or name in _TOO_LONG_TO_REMEMBER:
                continue
            if name in _REMEMBERED_ATTRIBUTES:
                image[name] = value
            else:
                image["properties"][name] = value
        if image_ref:
            image["id"] = image_ref
        return cls.from_dict(image)
