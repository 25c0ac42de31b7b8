"""Networks of a request as the scheduler sees them."""

from __future__ import annotations

from computed.objects import fields
from computed.objects.base import ComputedObject, register


@register
class NetworkMetadata(ComputedObject):
    """The physical networks, and whether tunnelled ones, that something touches."""

    VERSION = "1.0"
    fields = {
        "physnets": fields.SetOfStringsField(),
        "tunneled": fields.BooleanField(),
    }
