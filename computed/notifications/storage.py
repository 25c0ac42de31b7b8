"""Volumes and shares of an instance, as notifications tell them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from computed.notifications.base import Payload, payload_class
from computed.objects import fields


@payload_class
class BlockDevicePayload(Payload):
    VERSION = "1.0"
    SOURCES = {
        name: ("bdm", name)
        for name in ("boot_index", "delete_on_termination", "device_name", "tag", "volume_id")
    }
    fields = {
        "boot_index": fields.IntegerField(nullable=True),
        "delete_on_termination": fields.BooleanField(default=False),
        "device_name": fields.StringField(nullable=True),
        "tag": fields.StringField(nullable=True),
        "volume_id": fields.UUIDField(),
    }

    @classmethod
    def of_volumes(cls, bdms: Iterable[Any]) -> list[BlockDevicePayload]:
        """One payload for each mapping that is a volume."""
        return [cls.of(bdm=bdm) for bdm in bdms if bdm.volume_id is not None]


@payload_class
class SharePayload(Payload):
    """Without the export location, which may hold secrets."""

    VERSION = "1.0"
    SOURCES = {
        "share_id": ("share", "share_id"),
        "share_mapping_uuid": ("share", "uuid"),
        "status": ("share", "status"),
        "tag": ("share", "tag"),
    }
    fields = {
        "share_id": fields.UUIDField(),
        "share_mapping_uuid": fields.UUIDField(),
        "status": fields.StringField(),
        "tag": fields.StringField(),
    }
