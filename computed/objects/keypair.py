"""Key pairs of users."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, ObjectList, Persistent, register
from computed.objects.remote import remotable


@register
class KeyPair(Persistent, DictCompat, ComputedObject):
    """A public key of a user."""

    VERSION = "1.4"
    fields = {
        "fingerprint": fields.StringField(nullable=True),
        "id": fields.IntegerField(),
        "name": fields.StringField(),
        "public_key": fields.StringField(nullable=True),
        "type": fields.StringField(),
        "user_id": fields.StringField(nullable=True),
    }

    @remotable
    def create(self) -> None: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def destroy_by_name(cls, context: Any, user_id: Any, name: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_name(cls, context: Any, user_id: Any, name: Any, localonly: Any = False) -> Any: ...


@register
class KeyPairList(ObjectList):
    """Keys of a user or of an instance."""

    VERSION = "1.3"
    fields = {
        "objects": fields.ListOfObjectsField("KeyPair"),
    }

    @classmethod
    @remotable
    def get_by_user(cls, context: Any, user_id: Any, limit: Any = None, marker: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_count_by_user(cls, context: Any, user_id: Any) -> Any: ...
