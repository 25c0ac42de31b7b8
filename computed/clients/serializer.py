"""Contexts and objects to plain data and back, the same way for everything that crosses the bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oslo_versionedobjects import base as ovo
from oslo_versionedobjects import exception as ovo_errors

from computed.context import RequestContext
from computed.objects.base import ComputedObjectSerializer


class WireSerializer(ComputedObjectSerializer):
    """What clients and servers give to oslo.messaging as their serializer."""

    def serialize_context(self, context: RequestContext) -> dict[str, Any]:
        """The keys that travel beside a message (contract: objects.json, context)."""
        return context.to_dict()

    def deserialize_context(self, context: Mapping[str, Any]) -> RequestContext:
        """The context of a message; it becomes the one that this thread's log lines name."""
        return RequestContext.from_dict(context)

    def _process_object(self, context: Any, objprim: dict[str, Any]) -> Any:
        # oslo.versionedobjects would log this by itself, without saying which message it was.
        name = objprim.get("nova_object.name")
        if not isinstance(name, str) or name not in ovo.VersionedObjectRegistry.obj_classes():
            raise ovo_errors.UnsupportedObjectError(objtype=name)
        return super()._process_object(context, objprim)
