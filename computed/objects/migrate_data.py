"""What source and destination tell each other in a live migration."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from computed.objects import fields, network_model
from computed.objects.base import ComputedObject, field_holder, register

OS_VIF_DELEGATION = "os_vif_delegation"


def _dictionary(text: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(text)
    return decoded


@register
class LibvirtLiveMigrateNUMAInfo(ComputedObject):
    """On which host CPUs and cells a guest runs at the destination of a live migration."""

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
    """How a volume shows up on the destination of a live migration."""

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

    @property
    def connection_info(self) -> dict[str, Any]:
        """How the volume is reached from the destination; on the wire as text."""
        return _dictionary(self.connection_info_json)

    @connection_info.setter
    def connection_info(self, value: Mapping[str, Any]) -> None:
        self.connection_info_json = json.dumps(value)


@register
class VIFMigrateData(ComputedObject):
    """How a port is to be plugged on the destination of a live migration."""

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

    @classmethod
    def of_source(cls, vif: network_model.VIF) -> VIFMigrateData:
        """What is known of a port before the destination has bound it."""
        return cls(port_id=vif["id"], source_vif=vif)

    @property
    def profile(self) -> dict[str, Any]:
        """The binding profile at the destination; empty while it is not bound. On the wire as text."""
        return _dictionary(self.profile_json) if "profile_json" in self else {}

    @profile.setter
    def profile(self, value: Mapping[str, Any]) -> None:
        self.profile_json = json.dumps(value)

    @property
    def vif_details(self) -> dict[str, Any]:
        """The binding details at the destination; empty while it is not bound. On the wire as text."""
        return _dictionary(self.vif_details_json) if "vif_details_json" in self else {}

    @vif_details.setter
    def vif_details(self, value: Mapping[str, Any]) -> None:
        self.vif_details_json = json.dumps(value)

    @property
    def supports_os_vif_delegation(self) -> bool:
        """Whether the destination leaves creating the port's device to os-vif."""
        return bool(self.profile.get(OS_VIF_DELEGATION, False))

    @supports_os_vif_delegation.setter
    def supports_os_vif_delegation(self, value: bool) -> None:
        self.profile = {**self.profile, OS_VIF_DELEGATION: value}

    def get_dest_vif(self) -> network_model.VIF:
        """The port as it is to be plugged at the destination."""
        vif: network_model.VIF = copy.deepcopy(self.source_vif)
        vif.update(
            type=self.vif_type,
            vnic_type=self.vnic_type,
            profile=self.profile,
            details=self.vif_details,
            delegate_create=self.supports_os_vif_delegation,
        )
        return vif


@field_holder
class LiveMigrateData(ComputedObject):
    """What the two ends of a live migration tell each other; each driver has a class of its own."""

    fields = {
        "is_volume_backed": fields.BooleanField(),
        "migration": fields.ObjectField("Migration"),
        "old_vol_attachment_ids": fields.DictOfStringsField(),
        "pci_dev_map_src_dst": fields.DictOfStringsField(),
        "vifs": fields.ListOfObjectsField("VIFMigrateData"),
        "wait_for_vif_plugged": fields.BooleanField(),
    }


@register
class LibvirtLiveMigrateData(LiveMigrateData):
    """What two libvirt hosts tell each other for a live migration."""

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
        "serial_listen_addr": fields.StringField(nullable=True),
        "serial_listen_ports": fields.ListOfIntegersField(),
        "source_mdev_types": fields.DictOfStringsField(),
        "src_supports_native_luks": fields.BooleanField(),
        "src_supports_numa_live_migration": fields.BooleanField(),
        "supported_perf_events": fields.ListOfStringsField(),
        "target_connect_addr": fields.StringField(nullable=True),
        "target_mdevs": fields.DictOfStringsField(),
        "vtpm_secret_uuid": fields.UUIDField(nullable=True),
        "vtpm_secret_value": fields.SensitiveStringField(nullable=True),
    }


@register
class HyperVLiveMigrateData(LiveMigrateData):
    """What two Hyper-V hosts told each other; read, never made."""

    VERSION = "1.5"
    fields = {
        "is_shared_instance_path": fields.BooleanField(),
    }
