"""A host that the scheduler picked."""

from __future__ import annotations

from computed.objects import fields
from computed.objects.base import ComputedObject, register


@register
class Selection(ComputedObject):
    """A host that the scheduler chose, with the allocation to claim there."""

    VERSION = "1.1"
    fields = {
        "allocation_request": fields.StringField(nullable=True),
        "allocation_request_version": fields.StringField(nullable=True),
        "availability_zone": fields.StringField(nullable=True),
        "cell_uuid": fields.UUIDField(),
        "compute_node_uuid": fields.UUIDField(),
        "limits": fields.ObjectField("SchedulerLimits", nullable=True),
        "nodename": fields.StringField(),
        "service_host": fields.StringField(),
    }
