"""Image metadata as the agent reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, register

_REMEMBERED_PREFIX = "image_"
_REMEMBERED_ATTRIBUTES = frozenset(
    {"container_format", "disk_format", "min_disk", "min_ram", "name", "size", "checksum", "status", "owner"}
)


@register
class ImageMeta(ComputedObject):
    VERSION = "1.8"
    fields = {
        "checksum": fields.StringField(),
        "container_format": fields.StringField(),
        "created_at": fields.DateTimeField(nullable=True),
        "direct_url": fields.StringField(),
        "disk_format": fields.StringField(),
        "id": fields.UUIDField(),
        "min_disk": fields.IntegerField(),
        "min_ram": fields.IntegerField(),
        "name": fields.StringField(),
        "owner": fields.StringField(),
        "properties": fields.ObjectField("ImageMetaProps"),
        "protected": fields.FlexibleBooleanField(),
        "size": fields.IntegerField(),
        "status": fields.StringField(),
        "tags": fields.ListOfStringsField(),
        "updated_at": fields.DateTimeField(nullable=True),
        "virtual_size": fields.IntegerField(),
        "visibility": fields.StringField(),
    }

    @classmethod
    def from_dict(cls, image: Mapping[str, Any]) -> ImageMeta:
        """The object of an image dictionary as it travels in RPC arguments; unknown keys are ignored.

        Raises ValueError when a value cannot be what its field must be.
        """
        known = {key: image[key] for key in cls.fields if key in image and key != "properties"}
        known = {key: value for key, value in known.items() if value is not None or cls.fields[key].nullable}
        return cls(properties=ImageMetaProps.from_dict(image.get("properties") or {}), **known)

    @classmethod
    def from_system_metadata(cls, system_metadata: Mapping[str, Any], image_ref: str | None) -> ImageMeta:
        """The image as an instance remembers it: `image_` keys of its system metadata, all of them text."""
        image: dict[str, Any] = {"properties": {}}
        for key, value in system_metadata.items():
            if not key.startswith(_REMEMBERED_PREFIX) or value is None:
                continue
            name = key.removeprefix(_REMEMBERED_PREFIX)
            if name in _REMEMBERED_ATTRIBUTES:
                image[name] = value
            else:
                image["properties"][name] = value
        if image_ref:
            image["id"] = image_ref
        return cls.from_dict(image)


RENAMED_PROPERTIES = {
    "architecture": "hw_architecture",
    "owner_id": "img_owner_id",
    "vm_mode": "hw_vm_mode",
    "mappings": "img_mappings",
    "block_device_mapping": "img_block_device_mapping",
    "bdm_v2": "img_bdm_v2",
    "root_device_name": "img_root_device_name",
    "hypervisor_type": "img_hv_type",
    "version_predicate": "img_hv_requested_version",
    "config_drive": "img_config_drive",
    "cache_in_nova": "img_cache_in_nova",
}
"""Properties that glance still knows by an older name."""


@register
class ImageMetaProps(ComputedObject):
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
        for name, value in properties.items():
            known = RENAMED_PROPERTIES.get(name, name)
            if known in cls.fields and value is not None:
                if isinstance(cls.fields[known], fields.ListOfStringsField) and isinstance(value, str):
                    value = [part.strip() for part in value.split(",")]
                try:
                    setattr(props, known, value)
                except (TypeError, ValueError) as exc:
                    raise ValueError(f"image property {name}: {exc}") from exc
        return props

    def get(self, name: str, default: Any = None) -> Any:
        """A property, or `default` when the image has it not; raises AttributeError for unknown names."""
        if name not in self.fields:
            raise AttributeError(f"there is no image property {name}")
        return getattr(self, name) if self.obj_attr_is_set(name) else default
