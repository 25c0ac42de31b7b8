"""Usage counters of attached volumes."""

from __future__ import annotations

import datetime
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

    @property
    def reads(self) -> int:
        """Read requests, since ever."""
        return self._since_ever("reads")

    @property
    def read_bytes(self) -> int:
        """Bytes read, since ever."""
        return self._since_ever("read_bytes")

    @property
    def writes(self) -> int:
        """Write requests, since ever."""
        return self._since_ever("writes")

    @property
    def write_bytes(self) -> int:
        """Bytes written, since ever."""
        return self._since_ever("write_bytes")

    def _since_ever(self, what: str) -> int:
        """Those of earlier attachments and of the current one; a record that was not saved knows less."""
        names = (f"tot_{what}", f"curr_{what}")
        return sum((getattr(self, name) or 0) for name in names if self.obj_attr_is_set(name))

    @property
    def last_refreshed(self) -> datetime.datetime | None:
        """When the newer of both was counted."""
        names = ("tot_last_refreshed", "curr_last_refreshed")
        times = [getattr(self, name) for name in names if self.obj_attr_is_set(name)]
        return max((time for time in times if time is not None), default=None)

    @remotable
    def save(self, update_totals: Any = False) -> None: ...
