"""Metrics that a host reports."""

from __future__ import annotations

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, register


@register
class MonitorMetric(ComputedObject):
    """One measured value of a host."""

    VERSION = "1.1"
    fields = {
        "name": fields.MonitorMetricTypeField(),
        "numa_membw_values": fields.DictOfIntegersField(nullable=True),
        "source": fields.StringField(),
        "timestamp": fields.DateTimeField(),
        "value": fields.IntegerField(),
    }


@register
class MonitorMetricList(ObjectList):
    """The measured values of a host."""

    VERSION = "1.1"
    fields = {
        "objects": fields.ListOfObjectsField("MonitorMetric"),
    }
