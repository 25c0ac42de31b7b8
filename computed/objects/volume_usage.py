"""Usage counters of attached volumes."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, Persistent, register
from computed.objects.remote import remotable


@register
class VolumeUsage(Persistent, ComputedObject):
    """How much was read from and written to a volume."""

    VERSION = "1.0"
    fields = {
        "availability_zone": fields.StringField(nullable=True),
        "curr_last_refreshed": fields.DateTimeField(nullable=True, read_only=True),
        "curr_read_bytes": fields.IntegerField(),
        "curr_reads": fields.IntegerField(),
        "curr_write_bytes": fields.IntegerField(),
        "curr_writes": fields.IntegerField(),
        "id": fields.IntegerField(read_only=True),
        "instance_uuid": fields.UUIDField(nullable=True),
        "project_id": fields.StringField(nullable=True),
        "tot_last_refreshed": fields.DateTimeField(nullable=True, read_only=True),
        "tot_read_bytes": fields.IntegerField(read_only=True),
        "tot_reads": fields.IntegerField(read_only=True),
        "tot_write_bytes": fields.IntegerField(read_only=True),
        "tot_writes": fields.IntegerField(read_only=True),
        "user_id": fields.StringField(nullable=True),
        "volume_id": fields.UUIDField(),
    }

    @remotable
    def save(self, update_totals: Any = False) -> None: ...
