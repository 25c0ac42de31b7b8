"""Host resources assigned to an instance one by one."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, register, remotable


@register
class Resource(ComputedObject):
    VERSION = "1.0"
    fields = {
        "identifier": fields.StringField(),
        "metadata": fields.ObjectField("ResourceMetadata", subclasses=True),
        "provider_uuid": fields.UUIDField(),
        "resource_class": fields.ResourceClassField(),
    }


@register
class ResourceMetadata(ComputedObject):
    VERSION = "1.0"
    fields: dict[str, Any] = {}


@register
class LibvirtVPMEMDevice(ResourceMetadata):
    VERSION = "1.0"
    fields = {
        "align": fields.IntegerField(),
        "devpath": fields.StringField(),
        "label": fields.StringField(),
        "name": fields.StringField(),
        "size": fields.IntegerField(),
    }


@register
class ResourceList(ObjectList):
    VERSION = "1.0"
    fields = {
        "objects": fields.ListOfObjectsField("Resource"),
    }

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...
