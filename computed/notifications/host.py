"""What a host tells of itself and not of one instance: metrics, volume usage, a lost hypervisor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from computed.notifications.base import Payload, payload_class
from computed.objects import fields

_METRIC = {
    "name": fields.MonitorMetricTypeField(),
    "numa_membw_values": fields.DictOfIntegersField(nullable=True),
    "source": fields.StringField(),
    "timestamp": fields.DateTimeField(),
    "value": fields.IntegerField(),
}


@payload_class
class MetricPayload(Payload):
    VERSION = "1.0"
    SOURCES = {name: ("monitor_metric", name) for name in _METRIC}
    fields = _METRIC


@payload_class
class MetricsPayload(Payload):
    VERSION = "1.0"
    fields = {
        "host": fields.StringField(),
        "host_ip": fields.StringField(),
        "metrics": fields.ListOfObjectsField("MetricPayload"),
        "nodename": fields.StringField(),
    }

    @classmethod
    def of_metrics(cls, host: str, host_ip: str, nodename: str, metrics: Iterable[Any]) -> Self:
        """What was measured of a node, each value as it is: percentages are whole numbers here."""
        payloads = [MetricPayload.of(monitor_metric=metric) for metric in metrics]
        return cls(host=host, host_ip=host_ip, nodename=nodename, metrics=payloads)


@payload_class
class LibvirtErrorPayload(Payload):
    VERSION = "1.0"
    fields = {
        "ip": fields.StringField(),
        "reason": fields.ObjectField("ExceptionPayload"),
    }


_VOLUME_USAGE = {
    "availability_zone": fields.StringField(nullable=True),
    "instance_uuid": fields.UUIDField(nullable=True),
    "last_refreshed": fields.DateTimeField(nullable=True),
    "project_id": fields.StringField(nullable=True),
    "read_bytes": fields.IntegerField(),
    "reads": fields.IntegerField(),
    "user_id": fields.StringField(nullable=True),
    "volume_id": fields.UUIDField(),
    "write_bytes": fields.IntegerField(),
    "writes": fields.IntegerField(),
}


@payload_class
class VolumeUsagePayload(Payload):
    VERSION = "1.0"
    SOURCES = {name: ("vol_usage", name) for name in _VOLUME_USAGE}
    fields = _VOLUME_USAGE
