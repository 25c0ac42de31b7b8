"""Events that other services report of an instance."""

from __future__ import annotations

from computed.objects import fields
from computed.objects.base import ComputedObject, register


@register
class InstanceExternalEvent(ComputedObject):
    """News from another service about an instance."""

    VERSION = "1.5"
    fields = {
        "data": fields.DictOfStringsField(),
        "instance_uuid": fields.UUIDField(),
        "name": fields.EnumField(
            valid_values=[
                "network-changed",
                "network-vif-plugged",
                "network-vif-unplugged",
                "network-vif-deleted",
                "volume-extended",
                "power-update",
                "accelerator-request-bound",
                "volume-reimaged",
            ]
        ),
        "status": fields.EnumField(valid_values=["failed", "completed", "in-progress"]),
        "tag": fields.StringField(nullable=True),
    }

    @property
    def key(self) -> str:
        """The event as one word: its name, with its tag when it has one."""
        return self.make_key(self.name, self.tag if "tag" in self else None)

    @staticmethod
    def make_key(name: str, tag: str | None = None) -> str:
        """Name and tag of an event as one word."""
        return name if tag is None else f"{name}-{tag}"
