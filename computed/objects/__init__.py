"""The words on the wire: every versioned object that a compute sends or receives.

`from computed import objects` costs nothing; a module is imported when one of its objects is first named, and
`register_all` imports them all, as a server must before it reads its first message.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES: dict[str, tuple[str, ...]] = {
    "block_device": ("BlockDeviceMapping", "BlockDeviceMappingList"),
    "cell_mapping": ("CellMapping",),
    "compute_node": ("ComputeNode", "ComputeNodeList", "HVSpec"),
    "console_auth_token": ("ConsoleAuthToken",),
    "cpu_model": ("VirtCPUFeature", "VirtCPUModel", "VirtCPUTopology"),
    "device_metadata": (
        "DeviceBus",
        "PCIDeviceBus",
        "USBDeviceBus",
        "SCSIDeviceBus",
        "IDEDeviceBus",
        "XenDeviceBus",
        "DeviceMetadata",
        "NetworkInterfaceMetadata",
        "DiskMetadata",
        "ShareMetadata",
        "InstanceDeviceMetadata",
    ),
    "diagnostics": (
        "CpuDiagnostics",
        "DiskDiagnostics",
        "MemoryDiagnostics",
        "NicDiagnostics",
        "Diagnostics",
    ),
    "ec2": ("EC2Ids",),
    "flavor": ("Flavor",),
    "image_meta": ("ImageMeta",),
    "image_meta_props": ("ImageMetaProps",),
    "instance": ("Instance",),
    "instance_action": ("InstanceAction", "InstanceActionEvent"),
    "instance_external_event": ("InstanceExternalEvent",),
    "instance_fault": ("InstanceFault", "InstanceFaultList"),
    "instance_group": ("InstanceGroup",),
    "instance_list": ("InstanceList",),
    "instance_info_cache": ("InstanceInfoCache",),
    "instance_mapping": ("InstanceMapping",),
    "instance_numa": ("InstanceNUMACell", "InstanceNUMATopology"),
    "instance_pci_requests": ("InstancePCIRequest", "InstancePCIRequests"),
    "keypair": ("KeyPair", "KeyPairList"),
    "migrate_data": (
        "LibvirtLiveMigrateNUMAInfo",
        "LibvirtLiveMigrateBDMInfo",
        "VIFMigrateData",
        "LibvirtLiveMigrateData",
        "HyperVLiveMigrateData",
    ),
    "migration": ("Migration", "MigrationList"),
    "migration_context": ("MigrationContext",),
    "monitor_metric": ("MonitorMetric", "MonitorMetricList"),
    "network_metadata": ("NetworkMetadata",),
    "network_request": ("NetworkRequest", "NetworkRequestList"),
    "numa": ("NUMACell", "NUMAPagesTopology", "NUMATopology", "NUMATopologyLimits"),
    "pci_device": ("PciDevice", "PciDeviceList"),
    "pci_device_pool": ("PciDevicePool", "PciDevicePoolList"),
    "quotas": ("Quotas",),
    "request_spec": (
        "RequestSpec",
        "Destination",
        "SchedulerRetries",
        "SchedulerLimits",
        "RequestGroup",
        "RequestLevelParams",
    ),
    "resource": ("Resource", "ResourceMetadata", "LibvirtVPMEMDevice", "ResourceList"),
    "security_group": ("SecurityGroup", "SecurityGroupList"),
    "selection": ("Selection",),
    "service": ("Service", "ServiceList"),
    "share_mapping": ("ShareMapping", "ShareMappingList"),
    "tag": ("Tag", "TagList"),
    "task_log": ("TaskLog",),
    "trusted_certs": ("TrustedCerts",),
    "virtual_interface": ("VirtualInterface", "VirtualInterfaceList"),
    "volume_usage": ("VolumeUsage",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def register_all() -> None:
    """Import every module of objects, so that each can be read off the wire."""
    for module in _MODULES:
        importlib.import_module(f"computed.objects.{module}")


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"there is no object {name}")
    return getattr(importlib.import_module(f"computed.objects.{module}"), name)
