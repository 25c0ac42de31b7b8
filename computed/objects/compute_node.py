"""Compute nodes: what a hypervisor offers and has given away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed.objects import fields
from computed.objects.base import ComputedObject, ObjectList, Persistent, register
from computed.objects.remote import remotable

if TYPE_CHECKING:
    import datetime

    import netaddr

    from computed.objects.pci_device_pool import PciDevicePoolList


@register
class ComputeNode(Persistent, ComputedObject):
    """What one hypervisor host has and how much of it is in use."""

    VERSION = "1.19"
    fields = {
        "cpu_allocation_ratio": fields.FloatField(),
        "cpu_info": fields.StringField(nullable=True),
        "current_workload": fields.IntegerField(nullable=True),
        "disk_allocation_ratio": fields.FloatField(),
        "disk_available_least": fields.IntegerField(nullable=True),
        "free_disk_gb": fields.IntegerField(nullable=True),
        "free_ram_mb": fields.IntegerField(nullable=True),
        "host": fields.StringField(nullable=True),
        "host_ip": fields.IPAddressField(nullable=True),
        "hypervisor_hostname": fields.StringField(nullable=True),
        "hypervisor_type": fields.StringField(),
        "hypervisor_version": fields.IntegerField(),
        "id": fields.IntegerField(read_only=True),
        "local_gb": fields.IntegerField(),
        "local_gb_used": fields.IntegerField(),
        "mapped": fields.IntegerField(),
        "memory_mb": fields.IntegerField(),
        "memory_mb_used": fields.IntegerField(),
        "metrics": fields.StringField(nullable=True),
        "numa_topology": fields.StringField(nullable=True),
        "pci_device_pools": fields.ObjectField("PciDevicePoolList", nullable=True),
        "ram_allocation_ratio": fields.FloatField(),
        "running_vms": fields.IntegerField(nullable=True),
        "service_id": fields.IntegerField(nullable=True),
        "stats": fields.DictOfNullableStringsField(nullable=True),
        "supported_hv_specs": fields.ListOfObjectsField("HVSpec"),
        "uuid": fields.UUIDField(read_only=True),
        "vcpus": fields.IntegerField(),
        "vcpus_used": fields.IntegerField(),
    }

    cpu_allocation_ratio: float
    cpu_info: str | None
    created_at: datetime.datetime | None
    current_workload: int | None
    deleted: bool
    deleted_at: datetime.datetime | None
    disk_allocation_ratio: float
    disk_available_least: int | None
    free_disk_gb: int | None
    free_ram_mb: int | None
    host: str | None
    host_ip: netaddr.IPAddress | None
    hypervisor_hostname: str | None
    hypervisor_type: str
    hypervisor_version: int
    id: int
    local_gb: int
    local_gb_used: int
    mapped: int
    memory_mb: int
    memory_mb_used: int
    metrics: str | None
    numa_topology: str | None
    pci_device_pools: PciDevicePoolList | None
    ram_allocation_ratio: float
    running_vms: int | None
    service_id: int | None
    stats: dict[str, str | None] | None
    supported_hv_specs: list[HVSpec]
    updated_at: datetime.datetime | None
    uuid: str
    vcpus: int
    vcpus_used: int

    CHANGED_IN_PLACE = ("stats",)

    @remotable
    def create(self) -> None: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def get_by_host_and_nodename(cls, context: Any, host: Any, nodename: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_id(cls, context: Any, compute_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_nodename(cls, context: Any, hypervisor_hostname: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_service_id(cls, context: Any, service_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_uuid(cls, context: Any, compute_uuid: Any) -> Any: ...

    @classmethod
    @remotable
    def get_first_node_by_host_for_old_compat(
        cls, context: Any, host: Any, use_slave: Any = False
    ) -> Any: ...

    @remotable
    def save(self, prune_stats: Any = False) -> None: ...


@register
class ComputeNodeList(ObjectList):
    """Compute nodes of one or more hosts."""

    VERSION = "1.17"
    fields = {
        "objects": fields.ListOfObjectsField("ComputeNode"),
    }

    @classmethod
    @remotable
    def _get_by_service(cls, context: Any, service_id: Any, use_slave: Any = False) -> Any: ...

    @classmethod
    @remotable
    def get_all(cls, context: Any) -> Any: ...

    @classmethod
    @remotable
    def get_all_by_host(cls, context: Any, host: Any, use_slave: Any = False) -> Any: ...

    @classmethod
    @remotable
    def get_all_by_not_mapped(cls, context: Any, mapped_less_than: Any) -> Any: ...

    @classmethod
    @remotable
    def get_all_by_uuids(cls, context: Any, compute_uuids: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_hypervisor(cls, context: Any, hypervisor_match: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_pagination(cls, context: Any, limit: Any = None, marker: Any = None) -> Any: ...


@register
class HVSpec(ComputedObject):
    """A kind of guest that a host can run."""

    VERSION = "1.2"
    fields = {
        "arch": fields.ArchitectureField(),
        "hv_type": fields.HVTypeField(),
        "vm_mode": fields.VMModeField(),
    }
