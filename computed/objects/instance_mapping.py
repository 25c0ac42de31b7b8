"""Which cell an instance lives in."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, Timestamped, register
from computed.objects.remote import remotable


@register
class InstanceMapping(Timestamped, ComputedObject):
    """In which cell an instance lives."""

    VERSION = "1.2"
    fields = {
        "cell_mapping": fields.ObjectField("CellMapping", nullable=True),
        "id": fields.IntegerField(read_only=True),
        "instance_uuid": fields.UUIDField(),
        "project_id": fields.StringField(),
        "queued_for_delete": fields.BooleanField(default=False),
        "user_id": fields.StringField(),
    }

    @remotable
    def create(self) -> None: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...

    @remotable
    def save(self) -> None: ...
