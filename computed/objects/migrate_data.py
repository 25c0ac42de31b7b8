"""What source and destination tell each other in a live migration."""

from __future__ import annotations

from computed.objects import fields
from computed.objects.base import ComputedObject, register


@register
class LibvirtLiveMigrateNUMAInfo(ComputedObject):
    VERSION = "1.0"
    fields = {
        "cell_pins": fields.DictOfSetOfIntegersField(),
        "cpu_pins": fields.DictOfSetOfIntegersField(),
        "emulator_pins": fields.SetOfIntegersField(),
        "sched_priority": fields.IntegerField(),
        "sched_vcpus": fields.SetOfIntegersField(),
    }


@register
class LibvirtLiveMigrateBDMInfo(ComputedObject):
    VERSION = "1.1"
    fields = {
        "boot_index": fields.IntegerField(nullable=True),
        "bus": fields.StringField(),
        "connection_info_json": fields.StringField(),
        "dev": fields.StringField(),
        "encryption_secret_uuid": fields.UUIDField(nullable=True),
        "format": fields.StringField(nullable=True),
        "serial": fields.StringField(),
        "type": fields.StringField(),
    }


@register
class VIFMigrateData(ComputedObject):
    VERSION = "1.0"
    fields = {
        "host": fields.StringField(),
        "port_id": fields.StringField(),
        "profile_json": fields.StringField(),
        "source_vif": fields.NetworkVIFModelField(),
        "vif_details_json": fields.StringField(),
        "vif_type": fields.StringField(),
        "vnic_type": fields.StringField(),
    }


@register
class LibvirtLiveMigrateData(ComputedObject):
    VERSION = "1.14"
    fields = {
        "bdms": fields.ListOfObjectsField("LibvirtLiveMigrateBDMInfo"),
        "block_migration": fields.BooleanField(),
        "disk_available_mb": fields.IntegerField(nullable=True),
        "disk_over_commit": fields.BooleanField(),
        "dst_cpu_shared_set_info": fields.SetOfIntegersField(),
        "dst_numa_info": fields.ObjectField("LibvirtLiveMigrateNUMAInfo"),
        "dst_supports_mdev_live_migration": fields.BooleanField(),
        "dst_supports_numa_live_migration": fields.BooleanField(),
        "dst_wants_file_backed_memory": fields.BooleanField(),
        "file_backed_memory_discard": fields.BooleanField(),
        "filename": fields.StringField(),
        "graphics_listen_addr_spice": fields.IPAddressField(nullable=True),
        "graphics_listen_addr_vnc": fields.IPAddressField(nullable=True),
        "image_type": fields.StringField(),
        "instance_relative_path": fields.StringField(),
        "is_shared_block_storage": fields.BooleanField(),
        "is_shared_instance_path": fields.BooleanField(),
        "is_volume_backed": fields.BooleanField(),
        "migration": fields.ObjectField("Migration"),
        "old_vol_attachment_ids": fields.DictOfStringsField(),
        "pci_dev_map_src_dst": fields.DictOfStringsField(),
        "serial_listen_addr": fields.StringField(nullable=True),
        "serial_listen_ports": fields.ListOfIntegersField(),
        "source_mdev_types": fields.DictOfStringsField(),
        "src_supports_native_luks": fields.BooleanField(),
        "src_supports_numa_live_migration": fields.BooleanField(),
        "supported_perf_events": fields.ListOfStringsField(),
        "target_connect_addr": fields.StringField(nullable=True),
        "target_mdevs": fields.DictOfStringsField(),
        "vifs": fields.ListOfObjectsField("VIFMigrateData"),
        "vtpm_secret_uuid": fields.UUIDField(nullable=True),
        "vtpm_secret_value": fields.SensitiveStringField(nullable=True),
        "wait_for_vif_plugged": fields.BooleanField(),
    }


@register
class HyperVLiveMigrateData(ComputedObject):
    VERSION = "1.5"
    fields = {
        "is_shared_instance_path": fields.BooleanField(),
        "is_volume_backed": fields.BooleanField(),
        "migration": fields.ObjectField("Migration"),
        "old_vol_attachment_ids": fields.DictOfStringsField(),
        "pci_dev_map_src_dst": fields.DictOfStringsField(),
        "vifs": fields.ListOfObjectsField("VIFMigrateData"),
        "wait_for_vif_plugged": fields.BooleanField(),
    }
