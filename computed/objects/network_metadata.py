"""Networks of a request as the scheduler sees them."""

from __future__ import annotations

from computed.objects import fields
from computed.objects.base import ComputedObject, register


@register
class NetworkMetadata(ComputedObject):
    VERSION = "1.0"
    fields = {
        "physnets": fields.SetOfStringsField(),
        "tunneled": fields.BooleanField(),
    }
