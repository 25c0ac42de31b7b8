"""Instances: the record that every operation reads and saves."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from computed import objects
from computed.conf import CONF
from computed.errors import ObjectActionError
from computed.objects import fields, network_model
from computed.objects.base import ComputedObject, DictCompat, Persistent, register
from computed.objects.instance_moves import MovingInstance
from computed.objects.remote import remotable

if TYPE_CHECKING:
    import datetime

    import netaddr

    from computed.objects.cpu_model import VirtCPUModel
    from computed.objects.device_metadata import InstanceDeviceMetadata
    from computed.objects.ec2 import EC2Ids
    from computed.objects.flavor import Flavor
    from computed.objects.instance_fault import InstanceFault
    from computed.objects.instance_info_cache import InstanceInfoCache
    from computed.objects.instance_numa import InstanceNUMATopology
    from computed.objects.instance_pci_requests import InstancePCIRequests
    from computed.objects.keypair import KeyPairList
    from computed.objects.migration_context import MigrationContext
    from computed.objects.pci_device import PciDeviceList
    from computed.objects.resource import ResourceList
    from computed.objects.security_group import SecurityGroupList
    from computed.objects.service import ServiceList
    from computed.objects.tag import TagList
    from computed.objects.trusted_certs import TrustedCerts

LOADABLE = frozenset(
    {
        "device_metadata",
        "ec2_ids",
        "fault",
        "flavor",
        "info_cache",
        "keypairs",
        "metadata",
        "migration_context",
        "new_flavor",
        "numa_topology",
        "old_flavor",
        "pci_devices",
        "pci_requests",
        "resources",
        "security_groups",
        "services",
        "system_metadata",
        "tags",
        "trusted_certs",
        "vcpu_model",
    }
)
"""Fields that the conductor joins in only when asked (expected_attrs)."""

FLAVORS = frozenset({"flavor", "new_flavor", "old_flavor"})


@register
class Instance(MovingInstance, Persistent, DictCompat, ComputedObject):
    """A guest as the cloud knows it: the record that every operation reads and saves."""

    VERSION = "2.8"
    obj_extra_fields = ["name"]
    fields = {
        "access_ip_v4": fields.IPV4AddressField(nullable=True),
        "access_ip_v6": fields.IPV6AddressField(nullable=True),
        "architecture": fields.StringField(nullable=True),
        "auto_disk_config": fields.BooleanField(default=False),
        "availability_zone": fields.StringField(nullable=True),
        "cell_name": fields.StringField(nullable=True),
        "cleaned": fields.BooleanField(default=False),
        "compute_id": fields.IntegerField(nullable=True),
        "config_drive": fields.StringField(nullable=True),
        "default_ephemeral_device": fields.StringField(nullable=True),
        "default_swap_device": fields.StringField(nullable=True),
        "device_metadata": fields.ObjectField("InstanceDeviceMetadata", nullable=True),
        "disable_terminate": fields.BooleanField(default=False),
        "display_description": fields.StringField(nullable=True),
        "display_name": fields.StringField(nullable=True),
        "ec2_ids": fields.ObjectField("EC2Ids"),
        "ephemeral_gb": fields.IntegerField(nullable=True),
        "ephemeral_key_uuid": fields.UUIDField(nullable=True),
        "fault": fields.ObjectField("InstanceFault", nullable=True),
        "flavor": fields.ObjectField("Flavor"),
        "hidden": fields.BooleanField(default=False),
        "host": fields.StringField(nullable=True),
        "hostname": fields.StringField(nullable=True),
        "id": fields.IntegerField(),
        "image_ref": fields.StringField(nullable=True),
        "info_cache": fields.ObjectField("InstanceInfoCache", nullable=True),
        "instance_type_id": fields.IntegerField(nullable=True),
        "kernel_id": fields.StringField(nullable=True),
        "key_data": fields.StringField(nullable=True),
        "key_name": fields.StringField(nullable=True),
        "keypairs": fields.ObjectField("KeyPairList"),
        "launch_index": fields.IntegerField(nullable=True),
        "launched_at": fields.DateTimeField(nullable=True),
        "launched_on": fields.StringField(nullable=True),
        "locked": fields.BooleanField(default=False),
        "locked_by": fields.StringField(nullable=True),
        "memory_mb": fields.IntegerField(nullable=True),
        "metadata": fields.DictOfStringsField(),
        "migration_context": fields.ObjectField("MigrationContext", nullable=True),
        "new_flavor": fields.ObjectField("Flavor", nullable=True),
        "node": fields.StringField(nullable=True),
        "numa_topology": fields.ObjectField("InstanceNUMATopology", nullable=True),
        "old_flavor": fields.ObjectField("Flavor", nullable=True),
        "os_type": fields.StringField(nullable=True),
        "pci_devices": fields.ObjectField("PciDeviceList", nullable=True),
        "pci_requests": fields.ObjectField("InstancePCIRequests", nullable=True),
        "power_state": fields.IntegerField(nullable=True),
        "progress": fields.IntegerField(nullable=True),
        "project_id": fields.StringField(nullable=True),
        "ramdisk_id": fields.StringField(nullable=True),
        "reservation_id": fields.StringField(nullable=True),
        "resources": fields.ObjectField("ResourceList", nullable=True),
        "root_device_name": fields.StringField(nullable=True),
        "root_gb": fields.IntegerField(nullable=True),
        "security_groups": fields.ObjectField("SecurityGroupList"),
        "services": fields.ObjectField("ServiceList"),
        "shutdown_terminate": fields.BooleanField(default=False),
        "system_metadata": fields.DictOfNullableStringsField(),
        "tags": fields.ObjectField("TagList"),
        "task_state": fields.StringField(nullable=True),
        "terminated_at": fields.DateTimeField(nullable=True),
        "trusted_certs": fields.ObjectField("TrustedCerts", nullable=True),
        "user_data": fields.StringField(nullable=True),
        "user_id": fields.StringField(nullable=True),
        "uuid": fields.UUIDField(),
        "vcpu_model": fields.ObjectField("VirtCPUModel", nullable=True),
        "vcpus": fields.IntegerField(nullable=True),
        "vm_mode": fields.StringField(nullable=True),
        "vm_state": fields.StringField(nullable=True),
    }

    access_ip_v4: netaddr.IPAddress | None
    access_ip_v6: netaddr.IPAddress | None
    architecture: str | None
    auto_disk_config: bool
    availability_zone: str | None
    cell_name: str | None
    cleaned: bool
    compute_id: int | None
    config_drive: str | None
    created_at: datetime.datetime | None
    default_ephemeral_device: str | None
    default_swap_device: str | None
    deleted: bool
    deleted_at: datetime.datetime | None
    device_metadata: InstanceDeviceMetadata | None
    disable_terminate: bool
    display_description: str | None
    display_name: str | None
    ec2_ids: EC2Ids
    ephemeral_gb: int | None
    ephemeral_key_uuid: str | None
    fault: InstanceFault | None
    flavor: Flavor
    hidden: bool
    host: str | None
    hostname: str | None
    id: int
    image_ref: str | None
    info_cache: InstanceInfoCache | None
    instance_type_id: int | None
    kernel_id: str | None
    key_data: str | None
    key_name: str | None
    keypairs: KeyPairList
    launch_index: int | None
    launched_at: datetime.datetime | None
    launched_on: str | None
    locked: bool
    locked_by: str | None
    memory_mb: int | None
    metadata: dict[str, str]
    migration_context: MigrationContext | None
    new_flavor: Flavor | None
    node: str | None
    numa_topology: InstanceNUMATopology | None
    old_flavor: Flavor | None
    os_type: str | None
    pci_devices: PciDeviceList | None
    pci_requests: InstancePCIRequests | None
    power_state: int | None
    progress: int | None
    project_id: str | None
    ramdisk_id: str | None
    reservation_id: str | None
    resources: ResourceList | None
    root_device_name: str | None
    root_gb: int | None
    security_groups: SecurityGroupList
    services: ServiceList
    shutdown_terminate: bool
    system_metadata: dict[str, str | None]
    tags: TagList
    task_state: str | None
    terminated_at: datetime.datetime | None
    trusted_certs: TrustedCerts | None
    updated_at: datetime.datetime | None
    user_data: str | None
    user_id: str | None
    uuid: str
    vcpu_model: VirtCPUModel | None
    vcpus: int | None
    vm_mode: str | None
    vm_state: str | None

    CHANGED_IN_PLACE = ("metadata", "system_metadata")
    SAVED_ALONG = (
        "device_metadata",
        "flavor",
        "info_cache",
        "keypairs",
        "migration_context",
        "new_flavor",
        "numa_topology",
        "old_flavor",
        "pci_requests",
        "resources",
        "trusted_certs",
        "vcpu_model",
    )

    @property
    def name(self) -> str:
        """The name the hypervisor knows the guest by (option instance_name_template)."""
        template = CONF.instance_name_template
        try:
            return str(template % self.id)
        except TypeError:
            pass
        try:
            return str(template % {key: self[key] for key in self.fields if self.obj_attr_is_set(key)})
        except KeyError:
            return str(self.uuid)

    @property
    def image_meta(self) -> Any:
        """Metadata of the image the instance was made from, as its system metadata remembers it."""
        return objects.ImageMeta.from_system_metadata(self.system_metadata, self.image_ref)

    def get_flavor(self, namespace: str | None = None) -> Any:
        """The flavor now, or with `namespace` "old" or "new" the one at that side of a resize (or None)."""
        return getattr(self, f"{namespace}_flavor" if namespace else "flavor")

    def get_network_info(self) -> network_model.NetworkInfo:
        """The interfaces as last known; empty when nothing is known."""
        known = self.info_cache.network_info if self.info_cache else None
        return network_model.NetworkInfo(known or ())

    def get_bdms(self) -> Any:
        """The block device mappings, asked for each time."""
        return objects.BlockDeviceMappingList.get_by_instance_uuid(self.obj_context(), self.uuid)

    def obj_load_attr(self, attrname: str) -> None:
        """Fetch a field that was left out of what we were sent; one call, also for a deleted instance.

        Raises OrphanedObjectError without a context, NotImplementedError for a field that is never left out,
        ObjectActionError when the conductor has no value, InstanceNotFound.
        """
        if attrname not in LOADABLE:
            super().obj_load_attr(attrname)
            return
        self.load(attrname)

    def load(self, *names: str) -> None:
        """Fetch several fields in one call, a fault in one of its own, so that reading them asks nobody."""
        missing = {name for name in names if not self.obj_attr_is_set(name)}
        if "fault" in missing:
            self.fault = objects.InstanceFault.get_latest_for_instance(self.obj_context(), self.uuid)
            self.obj_reset_changes(["fault"])
            missing.remove("fault")
        if not missing:
            return
        asked = sorted(missing - FLAVORS)
        if missing & FLAVORS:
            # The three are one record, which the conductor knows by the name of the first only.
            asked.append("flavor")
            missing |= {name for name in FLAVORS if not self.obj_attr_is_set(name)}
        context = copy.copy(self.obj_context())
        context.read_deleted = "yes"
        loaded = Instance.get_by_uuid(context, self.uuid, expected_attrs=asked)
        if "keypairs" in missing and not loaded.obj_attr_is_set("keypairs"):
            # Instances made before key pairs were stored with them have none.
            loaded.keypairs = objects.KeyPairList()
        self.obj_fill(loaded, frozenset(missing))
        for name in missing:
            if not self.obj_attr_is_set(name):
                raise ObjectActionError(action="obj_load_attr", reason=f"no {name} came in answer")

    @remotable
    def create(self) -> None: ...

    @remotable
    def delete_metadata_key(self, key: Any) -> Any: ...

    @remotable
    def destroy(self, hard_delete: Any = False) -> None: ...

    @remotable
    def drop_migration_context(self) -> Any: ...

    @classmethod
    @remotable
    def get_by_id(cls, context: Any, inst_id: Any, expected_attrs: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_by_uuid(
        cls, context: Any, uuid: Any, expected_attrs: Any = None, use_slave: Any = False
    ) -> Any: ...

    @remotable
    def refresh(self, use_slave: Any = False) -> None: ...

    @remotable
    def save(
        self, expected_vm_state: Any = None, expected_task_state: Any = None, admin_state_reset: Any = False
    ) -> None: ...
