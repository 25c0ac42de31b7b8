"""Where a cell is reached."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, Timestamped, register
from computed.objects.remote import remotable


@register
class CellMapping(Timestamped, ComputedObject):
    """A cell: where its database and its message bus are."""

    VERSION = "1.1"
    fields = {
        "database_connection": fields.StringField(),
        "disabled": fields.BooleanField(default=False),
        "id": fields.IntegerField(read_only=True),
        "name": fields.StringField(nullable=True),
        "transport_url": fields.StringField(),
        "uuid": fields.UUIDField(),
    }

    @remotable
    def create(self) -> None: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def get_by_uuid(cls, context: Any, uuid: Any) -> Any: ...

    @remotable
    def save(self) -> None: ...
