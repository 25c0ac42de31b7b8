"""Instances, and lists of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from computed import objects
from computed.conf import CONF
from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, ObjectList, Persistent, register, remotable

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

_MUTABLE_DICTIONARIES = ("metadata", "system_metadata")


@register
class Instance(Persistent, DictCompat, ComputedObject):
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._as_loaded: dict[str, dict[str, Any]] = {}
        super().__init__(*args, **kwargs)

    @property
    def name(self) -> str:
        """The name the hypervisor knows the guest by (option instance_name_template)."""
        template = CONF.instance_name_template
        try:
            return str(template % self.id)
        except TypeError:
            return str(template % self)

    @property
    def image_meta(self) -> Any:
        """Metadata of the image the instance was made from, as its system metadata remembers it."""
        return objects.ImageMeta.from_system_metadata(self.system_metadata, self.image_ref)

    @classmethod
    def _obj_from_primitive(cls, context: Any, objver: str, primitive: dict[str, Any]) -> Instance:
        instance: Instance = super()._obj_from_primitive(context, objver, primitive)
        instance._remember_dictionaries(None)
        return instance

    def __deepcopy__(self, memo: dict[int, Any]) -> Instance:
        clone: Instance = super().__deepcopy__(memo)
        clone._as_loaded = copy.deepcopy(self._as_loaded)
        return clone

    def _remember_dictionaries(self, names: Sequence[str] | None) -> None:
        for name in _MUTABLE_DICTIONARIES:
            if (names is None or name in names) and self.obj_attr_is_set(name):
                self._as_loaded[name] = dict(getattr(self, name))

    def obj_reset_changes(self, fields: Sequence[str] | None = None, recursive: bool = False) -> None:
        """Forget changes, also those made inside the metadata dictionaries."""
        super().obj_reset_changes(fields, recursive=recursive)
        self._remember_dictionaries(fields)

    def obj_what_changed(self) -> set[str]:
        """Names of changed fields; a metadata dictionary changed in place counts."""
        changed: set[str] = super().obj_what_changed()
        for name, before in self._as_loaded.items():
            if self.obj_attr_is_set(name) and getattr(self, name) != before:
                changed.add(name)
        return changed

    def obj_load_attr(self, attrname: str) -> None:
        """Fetch a field that was left out of what we were sent; one call, also for a deleted instance.

        Raises OrphanedObjectError without a context, NotImplementedError for a field that is never left out,
        InstanceNotFound.
        """
        if attrname not in LOADABLE:
            super().obj_load_attr(attrname)
            return
        self.load(attrname)

    def load(self, *names: str) -> None:
        """Fetch several fields in one call, so that reading them one by one asks nobody."""
        missing = [name for name in names if not self.obj_attr_is_set(name)]
        if not missing:
            return
        context = copy.copy(self.obj_context())
        context.read_deleted = "yes"
        loaded = Instance.get_by_uuid(context, self.uuid, expected_attrs=missing)
        self.obj_fill(loaded, frozenset(missing))

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


@register
class InstanceList(ObjectList):
    VERSION = "2.6"
    fields = {
        "objects": fields.ListOfObjectsField("Instance"),
    }

    @classmethod
    @remotable
    def _get_active_by_window_joined(
        cls,
        context: Any,
        begin: Any,
        end: Any = None,
        project_id: Any = None,
        host: Any = None,
        expected_attrs: Any = None,
        use_slave: Any = False,
        limit: Any = None,
        marker: Any = None,
    ) -> Any: ...

    @classmethod
    @remotable
    def get_all(cls, context: Any, expected_attrs: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_by_filters(
        cls,
        context: Any,
        filters: Any,
        sort_key: Any = "created_at",
        sort_dir: Any = "desc",
        limit: Any = None,
        marker: Any = None,
        expected_attrs: Any = None,
        use_slave: Any = False,
        sort_keys: Any = None,
        sort_dirs: Any = None,
    ) -> Any: ...

    @classmethod
    @remotable
    def get_by_grantee_security_group_ids(cls, context: Any, security_group_ids: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_host(
        cls, context: Any, host: Any, expected_attrs: Any = None, use_slave: Any = False
    ) -> Any: ...

    @classmethod
    @remotable
    def get_by_host_and_node(cls, context: Any, host: Any, node: Any, expected_attrs: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_by_host_and_not_type(
        cls, context: Any, host: Any, type_id: Any = None, expected_attrs: Any = None
    ) -> Any: ...

    @classmethod
    @remotable
    def get_by_security_group_id(cls, context: Any, security_group_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_count_by_vm_state(cls, context: Any, project_id: Any, user_id: Any, vm_state: Any) -> Any: ...

    @classmethod
    @remotable
    def get_counts(cls, context: Any, project_id: Any, user_id: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_hung_in_rebooting(cls, context: Any, reboot_window: Any, expected_attrs: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_uuids_by_host(cls, context: Any, host: Any) -> Any: ...

    @classmethod
    @remotable
    def get_uuids_by_host_and_node(cls, context: Any, host: Any, node: Any) -> Any: ...

    @classmethod
    @remotable
    def get_uuids_by_hosts(cls, context: Any, hosts: Any) -> Any: ...
