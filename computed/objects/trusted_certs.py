"""Certificates trusted for image signatures."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, register
from computed.objects.remote import remotable


@register
class TrustedCerts(ComputedObject):
    """The certificates with which the signature of an image may be checked."""

    VERSION = "1.0"
    fields = {
        "ids": fields.ListOfStringsField(),
    }

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...
