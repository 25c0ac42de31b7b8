"""PCI devices that an instance asks for."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, register
from computed.objects.remote import remotable


@register
class InstancePCIRequest(ComputedObject):
    """A number of PCI devices that an instance asks for."""

    VERSION = "1.4"
    fields = {
        "alias_name": fields.StringField(nullable=True),
        "count": fields.IntegerField(),
        "is_new": fields.BooleanField(default=False),
        "numa_policy": fields.PCINUMAAffinityPolicyField(nullable=True),
        "request_id": fields.UUIDField(nullable=True),
        "requester_id": fields.StringField(nullable=True),
        "spec": fields.ListOfDictOfNullableStringsField(),
    }
    LAZY_DEFAULTS = dict.fromkeys(
        ("alias_name", "is_new", "numa_policy", "request_id", "requester_id", "spec")
    )


@register
class InstancePCIRequests(ComputedObject):
    """All PCI devices that an instance asks for."""

    VERSION = "1.1"
    fields = {
        "instance_uuid": fields.UUIDField(),
        "requests": fields.ListOfObjectsField("InstancePCIRequest"),
    }

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...
