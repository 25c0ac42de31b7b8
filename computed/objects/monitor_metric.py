"""Metrics that a host reports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, register


@register
class MonitorMetric(ComputedObject):
    """One measured value of a host: times are nanoseconds since it started, the frequency is MHz, percents
    are of the time since the last measurement."""

    VERSION = "1.1"
    fields = {
        "name": fields.MonitorMetricTypeField(),
        "numa_membw_values": fields.DictOfIntegersField(nullable=True),
        "source": fields.StringField(),
        "timestamp": fields.DateTimeField(),
        "value": fields.IntegerField(),
    }

    name: str
    source: str
    timestamp: datetime
    value: int

    def told(self) -> dict[str, Any]:
        """As the compute node record and the legacy notification have it: a percentage is a fraction there
        (objects/monitor_metric.py of a stock agent)."""
        value = self.value / 100 if self.name.endswith(".percent") else self.value
        when = self.timestamp.strftime("%Y-%m-%dT%H:%M:%S.%f")
        return {"name": self.name, "timestamp": when, "source": self.source, "value": value}


@register
class MonitorMetricList(ObjectList):
    """The measured values of a host."""

    VERSION = "1.1"
    fields = {
        "objects": fields.ListOfObjectsField("MonitorMetric"),
    }
