"""Tokens that let a proxy connect a user to a console."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, Timestamped, register
from computed.objects.remote import remotable


@register
class ConsoleAuthToken(Timestamped, ComputedObject):
    """Permission to reach an instance's console for a limited time."""

    VERSION = "1.3"
    fields = {
        "access_url_base": fields.StringField(nullable=True),
        "console_type": fields.StringField(),
        "expires": fields.IntegerField(),
        "host": fields.StringField(),
        "id": fields.IntegerField(),
        "instance_uuid": fields.UUIDField(),
        "internal_access_path": fields.StringField(nullable=True),
        "port": fields.IntegerField(),
        "tls_port": fields.IntegerField(nullable=True),
        "token": fields.StringField(),
    }

    @remotable
    def authorize(self, ttl: Any) -> Any: ...

    @classmethod
    @remotable
    def clean_console_auths_for_instance(cls, context: Any, instance_uuid: Any) -> Any: ...

    @classmethod
    @remotable
    def clean_expired_console_auths(cls, context: Any) -> Any: ...

    @classmethod
    @remotable
    def clean_expired_console_auths_for_host(cls, context: Any, host: Any) -> Any: ...

    @classmethod
    @remotable
    def validate(cls, context: Any, token: Any) -> Any: ...
