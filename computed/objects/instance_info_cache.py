"""The cached network information of an instance."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, Persistent, register
from computed.objects.remote import remotable


@register
class InstanceInfoCache(Persistent, ComputedObject):
    """What was last known of an instance's network."""

    VERSION = "1.5"
    fields = {
        "instance_uuid": fields.UUIDField(),
        "network_info": fields.NetworkModelField(nullable=True),
    }

    @classmethod
    def new(cls, context: Any, instance_uuid: str) -> InstanceInfoCache:
        """An empty cache for an instance that has none yet."""
        cache = cls(context=context, instance_uuid=instance_uuid, network_info=[])
        cache.obj_reset_changes()
        return cache

    @remotable
    def delete(self) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...

    @remotable
    def refresh(self) -> None: ...

    @remotable
    def save(self, update_cells: Any = True) -> None: ...
