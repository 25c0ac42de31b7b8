"""Host resources assigned to an instance one by one."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, register
from computed.objects.remote import remotable


@register
class Resource(ComputedObject):
    """A single resource of a provider, such as one persistent memory device."""

    VERSION = "1.0"
    fields = {
        "identifier": fields.StringField(),
        "metadata": fields.ObjectField("ResourceMetadata", subclasses=True),
        "provider_uuid": fields.UUIDField(),
        "resource_class": fields.ResourceClassField(),
    }


@register
class ResourceMetadata(ComputedObject):
    """What a driver keeps about a single assigned resource; each kind has a subclass."""

    VERSION = "1.0"
    fields: dict[str, Any] = {}


@register
class LibvirtVPMEMDevice(ResourceMetadata):
    """A persistent memory namespace of a host."""

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
    """The single resources that an instance holds."""

    VERSION = "1.0"
    fields = {
        "objects": fields.ListOfObjectsField("Resource"),
    }

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...
