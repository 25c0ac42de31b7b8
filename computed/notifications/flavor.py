"""The flavor of an instance, as notifications tell it."""

from __future__ import annotations

from computed.notifications.base import Payload, payload_class
from computed.objects import fields

_FIELDS = {
    "description": fields.StringField(nullable=True),
    "disabled": fields.BooleanField(),
    "ephemeral_gb": fields.IntegerField(nullable=True),
    "extra_specs": fields.DictOfStringsField(nullable=True),
    "flavorid": fields.StringField(nullable=True),
    "is_public": fields.BooleanField(),
    "memory_mb": fields.IntegerField(nullable=True),
    "name": fields.StringField(),
    "projects": fields.ListOfStringsField(nullable=True),
    "root_gb": fields.IntegerField(nullable=True),
    "rxtx_factor": fields.FloatField(nullable=True),
    "swap": fields.IntegerField(),
    "vcpu_weight": fields.IntegerField(nullable=True),
    "vcpus": fields.IntegerField(nullable=True),
}


@payload_class
class FlavorPayload(Payload):
    VERSION = "1.4"
    SOURCES = {name: ("flavor", name) for name in _FIELDS}
    fields = _FIELDS
