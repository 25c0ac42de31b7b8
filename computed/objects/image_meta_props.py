"""Properties of images that mean something to a compute, under their old names as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from computed.lib.cpu_set import parse_cpu_set
from computed.objects import fields
from computed.objects.base import ComputedObject, register

OLDER_NAMES = {
    "architecture": "hw_architecture",
    "auto_disk_config": "hw_auto_disk_config",
    "bdm_v2": "img_bdm_v2",
    "bittorrent": "img_bittorrent",
    "block_device_mapping": "img_block_device_mapping",
    "cache_in_nova": "img_cache_in_nova",
    "hypervisor_type": "img_hv_type",
    "hypervisor_version_requires": "img_hv_requested_version",
    "ipxe_boot": "hw_ipxe_boot",
    "mappings": "img_mappings",
    "owner_id": "img_owner_id",
    "root_device_name": "img_root_device_name",
    "vm_mode": "hw_vm_mode",
    "vmware_disktype": "hw_disk_type",
    "vmware_image_version": "img_version",
    "vmware_linked_clone": "img_linked_clone",
    "vmware_ostype": "os_distro",
    "xenapi_device_id": "hw_device_id",
    "xenapi_image_compression_level": "img_compression_level",
    "xenapi_skip_agent_inject_files_at_boot": "os_skip_agent_inject_files_at_boot",
    "xenapi_skip_agent_inject_ssh": "os_skip_agent_inject_ssh",
    "xenapi_use_agent": "img_use_agent",
}
"""What images made long ago call a property; a property under its own name goes before."""

_TRAIT = "trait:"
_MADE_OF_SEVERAL = ("hw_numa_cpus", "hw_numa_mem", "traits_required")


@register
class ImageMetaProps(ComputedObject):
    """The properties of an image that mean something to a compute host; absent means not stated."""

    VERSION = "1.44"
    fields = {
        "hw_architecture": fields.ArchitectureField(),
        "hw_auto_disk_config": fields.StringField(),
        "hw_boot_menu": fields.FlexibleBooleanField(),
        "hw_cdrom_bus": fields.DiskBusField(),
        "hw_cpu_cores": fields.IntegerField(),
        "hw_cpu_max_cores": fields.IntegerField(),
        "hw_cpu_max_sockets": fields.IntegerField(),
        "hw_cpu_max_threads": fields.IntegerField(),
        "hw_cpu_policy": fields.CPUAllocationPolicyField(),
        "hw_cpu_realtime_mask": fields.StringField(),
        "hw_cpu_sockets": fields.IntegerField(),
        "hw_cpu_thread_policy": fields.CPUThreadAllocationPolicyField(),
        "hw_cpu_threads": fields.IntegerField(),
        "hw_device_id": fields.IntegerField(),
        "hw_disk_bus": fields.DiskBusField(),
        "hw_disk_type": fields.StringField(),
        "hw_emulation_architecture": fields.ArchitectureField(),
        "hw_ephemeral_encryption": fields.FlexibleBooleanField(),
        "hw_ephemeral_encryption_format": fields.BlockDeviceEncryptionFormatTypeField(),
        "hw_ephemeral_encryption_secret_uuid": fields.UUIDField(),
        "hw_firmware_stateless": fields.FlexibleBooleanField(),
        "hw_firmware_type": fields.FirmwareTypeField(),
        "hw_floppy_bus": fields.DiskBusField(),
        "hw_input_bus": fields.InputBusField(),
        "hw_ipxe_boot": fields.FlexibleBooleanField(),
        "hw_locked_memory": fields.FlexibleBooleanField(),
        "hw_machine_type": fields.StringField(),
        "hw_maxphysaddr_bits": fields.IntegerField(),
        "hw_maxphysaddr_mode": fields.MaxPhysAddrModeField(),
        "hw_mem_encryption": fields.FlexibleBooleanField(),
        "hw_mem_encryption_model": fields.MemEncryptionModelField(),
        "hw_mem_page_size": fields.StringField(),
        "hw_numa_cpus": fields.ListOfSetsOfIntegersField(),
        "hw_numa_mem": fields.ListOfIntegersField(),
        "hw_numa_nodes": fields.IntegerField(),
        "hw_pci_numa_affinity_policy": fields.PCINUMAAffinityPolicyField(),
        "hw_pmu": fields.FlexibleBooleanField(),
        "hw_pointer_model": fields.PointerModelField(),
        "hw_qemu_guest_agent": fields.FlexibleBooleanField(),
        "hw_redirected_usb_ports": fields.IntegerField(),
        "hw_rescue_bus": fields.DiskBusField(),
        "hw_rescue_device": fields.BlockDeviceTypeField(),
        "hw_rng_model": fields.RNGModelField(),
        "hw_scsi_model": fields.SCSIModelField(),
        "hw_serial_port_count": fields.IntegerField(),
        "hw_sound_model": fields.SoundModelField(),
        "hw_time_hpet": fields.FlexibleBooleanField(),
        "hw_tpm_model": fields.TPMModelField(),
        "hw_tpm_version": fields.TPMVersionField(),
        "hw_usb_model": fields.USBControllerModelField(),
        "hw_video_model": fields.VideoModelField(),
        "hw_video_ram": fields.IntegerField(),
        "hw_vif_model": fields.VIFModelField(),
        "hw_vif_multiqueue_enabled": fields.FlexibleBooleanField(),
        "hw_viommu_model": fields.VIOMMUModelField(),
        "hw_virtio_packed_ring": fields.FlexibleBooleanField(),
        "hw_vm_mode": fields.VMModeField(),
        "hw_watchdog_action": fields.WatchdogActionField(),
        "img_bdm_v2": fields.FlexibleBooleanField(),
        "img_bittorrent": fields.FlexibleBooleanField(),
        "img_block_device_mapping": fields.ListOfDictOfNullableStringsField(),
        "img_cache_in_nova": fields.FlexibleBooleanField(),
        "img_compression_level": fields.IntegerField(),
        "img_config_drive": fields.ConfigDrivePolicyField(),
        "img_hide_hypervisor_id": fields.FlexibleBooleanField(),
        "img_hv_requested_version": fields.VersionPredicateField(),
        "img_hv_type": fields.HVTypeField(),
        "img_linked_clone": fields.FlexibleBooleanField(),
        "img_mappings": fields.ListOfDictOfNullableStringsField(),
        "img_owner_id": fields.StringField(),
        "img_root_device_name": fields.StringField(),
        "img_signature": fields.StringField(),
        "img_signature_certificate_uuid": fields.UUIDField(),
        "img_signature_hash_method": fields.ImageSignatureHashTypeField(),
        "img_signature_key_type": fields.ImageSignatureKeyTypeField(),
        "img_use_agent": fields.FlexibleBooleanField(),
        "img_version": fields.IntegerField(),
        "os_admin_user": fields.StringField(),
        "os_command_line": fields.StringField(),
        "os_distro": fields.StringField(),
        "os_require_quiesce": fields.FlexibleBooleanField(),
        "os_secure_boot": fields.SecureBootField(),
        "os_skip_agent_inject_files_at_boot": fields.FlexibleBooleanField(),
        "os_skip_agent_inject_ssh": fields.FlexibleBooleanField(),
        "os_type": fields.OSTypeField(),
        "traits_required": fields.ListOfStringsField(),
    }

    @classmethod
    def from_dict(cls, properties: Mapping[str, Any]) -> ImageMetaProps:
        """The known ones of an image's properties; raises ValueError naming one whose value is wrong."""
        props = cls()
        stated = {name: properties[old] for old, name in OLDER_NAMES.items() if old in properties}
        stated.update(_adapter_of(properties.get("vmware_adaptertype")))
        stated.update((name, properties[name]) for name in cls.fields if name in properties)
        stated = {name: value for name, value in stated.items() if name not in _MADE_OF_SEVERAL}
        stated.update(_numa_of(properties))
        traits = [
            name.removeprefix(_TRAIT)
            for name, value in properties.items()
            if name.startswith(_TRAIT) and value == "required"
        ]
        if traits:
            stated["traits_required"] = traits
        for name, value in stated.items():
            try:
                setattr(props, name, value)
            except (TypeError, ValueError) as exc:
                raise ValueError(f"image property {name}: {exc}") from exc
        return props

    def get(self, name: str, default: Any = None) -> Any:
        """A property, or `default` when the image has it not; raises AttributeError for unknown names."""
        if name not in self.fields:
            raise AttributeError(f"there is no image property {name}")
        return getattr(self, name) if self.obj_attr_is_set(name) else default


def _adapter_of(vmware: Any) -> dict[str, str]:
    if not vmware:
        return {}
    return {"hw_disk_bus": "ide"} if vmware == "ide" else {"hw_disk_bus": "scsi", "hw_scsi_model": vmware}


def _numa_of(properties: Mapping[str, Any]) -> dict[str, list[Any]]:
    """`hw_numa_cpus.N` and `hw_numa_mem.N`, from 0 on until one is missing, as lists."""
    readers: dict[str, Callable[[Any], Any]] = {"hw_numa_cpus": parse_cpu_set, "hw_numa_mem": int}
    found: dict[str, list[Any]] = {}
    for name, read in readers.items():
        cell = 0
        while (value := properties.get(f"{name}.{cell}")) is not None:
            found.setdefault(name, []).append(read(value))
            cell += 1
    return found
