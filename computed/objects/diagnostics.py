"""What a hypervisor measures of one guest."""

from __future__ import annotations

from computed.objects import fields
from computed.objects.base import ComputedObject, Ephemeral, register


@register
class CpuDiagnostics(ComputedObject):
    """Figures of one CPU: time in nanoseconds, utilisation in percent."""

    VERSION = "1.0"
    fields = {
        "id": fields.IntegerField(nullable=True),
        "time": fields.IntegerField(nullable=True),
        "utilisation": fields.IntegerField(nullable=True),
    }


@register
class DiskDiagnostics(ComputedObject):
    """Figures of one disk."""

    VERSION = "1.0"
    fields = {
        "errors_count": fields.IntegerField(nullable=True),
        "read_bytes": fields.IntegerField(nullable=True),
        "read_requests": fields.IntegerField(nullable=True),
        "write_bytes": fields.IntegerField(nullable=True),
        "write_requests": fields.IntegerField(nullable=True),
    }


@register
class MemoryDiagnostics(ComputedObject):
    """Figures of the memory, in MiB."""

    VERSION = "1.0"
    fields = {
        "maximum": fields.IntegerField(nullable=True),
        "used": fields.IntegerField(nullable=True),
    }


@register
class NicDiagnostics(ComputedObject):
    """Figures of one network interface."""

    VERSION = "1.0"
    fields = {
        "mac_address": fields.MACAddressField(nullable=True),
        "rx_drop": fields.IntegerField(nullable=True),
        "rx_errors": fields.IntegerField(nullable=True),
        "rx_octets": fields.IntegerField(nullable=True),
        "rx_packets": fields.IntegerField(nullable=True),
        "rx_rate": fields.IntegerField(nullable=True),
        "tx_drop": fields.IntegerField(nullable=True),
        "tx_errors": fields.IntegerField(nullable=True),
        "tx_octets": fields.IntegerField(nullable=True),
        "tx_packets": fields.IntegerField(nullable=True),
        "tx_rate": fields.IntegerField(nullable=True),
    }


@register
class Diagnostics(Ephemeral):
    """Figures of a running guest in a form that is the same for all drivers."""

    VERSION = "1.0"
    fields = {
        "config_drive": fields.BooleanField(),
        "cpu_details": fields.ListOfObjectsField("CpuDiagnostics", default=[]),
        "disk_details": fields.ListOfObjectsField("DiskDiagnostics", default=[]),
        "driver": fields.HypervisorDriverField(),
        "hypervisor": fields.StringField(nullable=True),
        "hypervisor_os": fields.StringField(nullable=True),
        "memory_details": fields.ObjectField("MemoryDiagnostics", default=MemoryDiagnostics()),
        "nic_details": fields.ListOfObjectsField("NicDiagnostics", default=[]),
        "num_cpus": fields.IntegerField(),
        "num_disks": fields.IntegerField(),
        "num_nics": fields.IntegerField(),
        "state": fields.InstancePowerStateField(),
        "uptime": fields.IntegerField(nullable=True),
    }
