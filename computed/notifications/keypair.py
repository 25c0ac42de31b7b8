"""The key pair an instance was made with, as notifications tell it."""

from __future__ import annotations

from computed.notifications.base import Payload, payload_class
from computed.objects import fields

_FIELDS = {
    "fingerprint": fields.StringField(nullable=True),
    "name": fields.StringField(),
    "public_key": fields.StringField(nullable=True),
    "type": fields.StringField(),
    "user_id": fields.StringField(nullable=True),
}


@payload_class
class KeypairPayload(Payload):
    VERSION = "1.0"
    SOURCES = {name: ("keypair", name) for name in _FIELDS}
    fields = _FIELDS
