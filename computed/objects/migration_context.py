"""What an instance had before a move and has after it."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, Persistent, register
from computed.objects.remote import remotable


@register
class MigrationContext(Persistent, ComputedObject):
    """What an instance holds at both ends of a move."""

    VERSION = "1.2"
    fields = {
        "instance_uuid": fields.UUIDField(),
        "migration_id": fields.IntegerField(),
        "new_numa_topology": fields.ObjectField("InstanceNUMATopology", nullable=True),
        "new_pci_devices": fields.ObjectField("PciDeviceList", nullable=True),
        "new_pci_requests": fields.ObjectField("InstancePCIRequests", nullable=True),
        "new_resources": fields.ObjectField("ResourceList", nullable=True),
        "old_numa_topology": fields.ObjectField("InstanceNUMATopology", nullable=True),
        "old_pci_devices": fields.ObjectField("PciDeviceList", nullable=True),
        "old_pci_requests": fields.ObjectField("InstancePCIRequests", nullable=True),
        "old_resources": fields.ObjectField("ResourceList", nullable=True),
    }

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...
