"""The compute node record: what one node looks like to schedulers and the API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from computed import objects
from computed.resources.providers import DISK_GB, MEMORY_MB, VCPU, Offer
from computed.resources.usage import Load
from computed.virt.specs import NodeResources

_RATIO_FIELDS = {
    VCPU: "cpu_allocation_ratio",
    MEMORY_MB: "ram_allocation_ratio",
    DISK_GB: "disk_allocation_ratio",
}


def facts(resources: NodeResources, host_ip: str, metrics: Sequence[Any] = ()) -> dict[str, Any]:
    """Fields that follow from the driver alone (service.json, compute_node.copied_from_driver_dict).

    The uuid is not among them: it is fixed when the record is made.
    """
    return {
        "vcpus": resources.vcpus,
        "memory_mb": resources.memory_mib,
        "local_gb": resources.disk_gib,
        "cpu_info": resources.cpu_info,
        "disk_available_least": resources.disk_available_least,
        "host_ip": host_ip,
        "hypervisor_hostname": resources.hypervisor_hostname,
        "hypervisor_type": resources.hypervisor_type,
        "hypervisor_version": resources.hypervisor_version,
        "numa_topology": resources.numa_topology,
        "supported_hv_specs": [
            objects.HVSpec(arch=arch, hv_type=kind, vm_mode=mode)
            for arch, kind, mode in resources.supported_instances
        ],
        "pci_device_pools": objects.PciDevicePoolList(objects=[]),
        "metrics": json.dumps([metric.told() for metric in metrics]),
    }


def ratios(offer: Offer, *, is_new: bool) -> dict[str, float]:
    """Ratio fields: the configured ones; on a new record the initial ones where none is configured."""
    wanted = {**offer.initial_ratios, **offer.ratios} if is_new else offer.ratios
    return {_RATIO_FIELDS[name]: ratio for name, ratio in wanted.items()}


def sums(resources: NodeResources, load: Load, failed_builds: int) -> dict[str, Any]:
    """Fields that follow from the ledger; free amounts may be negative on an overcommitted node."""
    told = {key: None if value is None else str(value) for key, value in resources.stats.items()}
    return {
        "vcpus_used": load.held.vcpus,
        "memory_mb_used": load.held.memory_mib,
        "local_gb_used": load.held.disk_gib,
        "free_ram_mb": resources.memory_mib - load.held.memory_mib,
        "free_disk_gb": resources.disk_gib - load.held.disk_gib,
        "running_vms": load.instances,
        "current_workload": load.current_workload,
        "stats": {"failed_builds": str(failed_builds), **told, **(load.stats or {})},
    }


def apply(record: Any, fields: Mapping[str, Any]) -> bool:
    """Set those fields of an `objects.ComputeNode` that differ; True when the record wants saving.

    A field that an earlier save did not get through still counts as changed.
    """
    for name, value in fields.items():
        if not record.obj_attr_is_set(name) or _plain(getattr(record, name)) != _plain(value):
            setattr(record, name, value)
    return bool(record.obj_what_changed())


def _plain(value: Any) -> Any:
    """A value that compares by content: objects compare by identity."""
    if isinstance(value, objects.HVSpec):
        return value.arch, value.hv_type, value.vm_mode
    if isinstance(value, objects.PciDevicePoolList):
        return [pool.obj_to_primitive() for pool in value]
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if type(value).__module__.startswith("netaddr") else value
