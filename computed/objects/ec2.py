"""EC2 names of an instance."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, register
from computed.objects.remote import remotable


@register
class EC2Ids(ComputedObject):
    """The names that the EC2-compatible metadata uses for an instance and its images."""

    VERSION = "1.0"
    fields = {
        "ami_id": fields.StringField(nullable=True, read_only=True),
        "instance_id": fields.StringField(read_only=True),
        "kernel_id": fields.StringField(nullable=True, read_only=True),
        "ramdisk_id": fields.StringField(nullable=True, read_only=True),
    }

    @classmethod
    @remotable
    def get_by_instance(cls, context: Any, instance: Any) -> Any: ...
