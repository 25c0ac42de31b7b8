"""Block device mappings: what an instance boots from and has attached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed import objects
from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, ObjectList, Persistent, register
from computed.objects.remote import remotable

if TYPE_CHECKING:
    import datetime

    from computed.objects.instance import Instance


@register
class BlockDeviceMapping(Persistent, DictCompat, ComputedObject):
    """One disk or volume of an instance as it is recorded: where it comes from and where it shows up."""

    VERSION = "1.21"
    fields = {
        "attachment_id": fields.UUIDField(nullable=True),
        "boot_index": fields.IntegerField(nullable=True),
        "connection_info": fields.SensitiveStringField(nullable=True),
        "delete_on_termination": fields.BooleanField(default=False),
        "destination_type": fields.BlockDeviceDestinationTypeField(nullable=True),
        "device_name": fields.StringField(nullable=True),
        "device_type": fields.BlockDeviceTypeField(nullable=True),
        "disk_bus": fields.StringField(nullable=True),
        "encrypted": fields.BooleanField(default=False),
        "encryption_format": fields.BlockDeviceEncryptionFormatTypeField(nullable=True),
        "encryption_options": fields.StringField(nullable=True),
        "encryption_secret_uuid": fields.UUIDField(nullable=True),
        "guest_format": fields.StringField(nullable=True),
        "id": fields.IntegerField(),
        "image_id": fields.StringField(nullable=True),
        "instance": fields.ObjectField("Instance", nullable=True),
        "instance_uuid": fields.UUIDField(),
        "no_device": fields.BooleanField(default=False),
        "snapshot_id": fields.StringField(nullable=True),
        "source_type": fields.BlockDeviceSourceTypeField(nullable=True),
        "tag": fields.StringField(nullable=True),
        "uuid": fields.UUIDField(),
        "volume_id": fields.StringField(nullable=True),
        "volume_size": fields.IntegerField(nullable=True),
        "volume_type": fields.StringField(nullable=True),
    }

    attachment_id: str | None
    boot_index: int | None
    connection_info: str | None
    created_at: datetime.datetime | None
    delete_on_termination: bool
    deleted: bool
    deleted_at: datetime.datetime | None
    destination_type: str | None
    device_name: str | None
    device_type: str | None
    disk_bus: str | None
    encrypted: bool
    encryption_format: str | None
    encryption_options: str | None
    encryption_secret_uuid: str | None
    guest_format: str | None
    id: int
    image_id: str | None
    instance: Instance | None
    instance_uuid: str
    no_device: bool
    snapshot_id: str | None
    source_type: str | None
    tag: str | None
    updated_at: datetime.datetime | None
    uuid: str
    volume_id: str | None
    volume_size: int | None
    volume_type: str | None

    LAZY_DEFAULTS = dict.fromkeys(("encryption_secret_uuid", "encryption_format", "encryption_options"))

    @property
    def is_root(self) -> bool:
        """Whether the instance boots from this device."""
        return bool(self.boot_index == 0)

    @property
    def is_volume(self) -> bool:
        """Whether the device lives in the block storage service."""
        return bool(self.destination_type == "volume")

    @property
    def is_local(self) -> bool:
        """Whether the device lives on the host."""
        return bool(self.destination_type == "local")

    def obj_load_attr(self, attrname: str) -> None:
        """Load the instance the device belongs to; other fields have defaults or are never left out."""
        if attrname != "instance":
            super().obj_load_attr(attrname)
            return
        self.instance = objects.Instance.get_by_uuid(self.obj_context(), self.instance_uuid)
        self.obj_reset_changes(["instance"])

    @remotable
    def create(self) -> None: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def get_by_volume(cls, context: Any, volume_id: Any, expected_attrs: Any = None) -> Any: ...

    @classmethod
    @remotable
    def get_by_volume_and_instance(
        cls, context: Any, volume_id: Any, instance_uuid: Any, expected_attrs: Any = None
    ) -> Any: ...

    @classmethod
    @remotable
    def get_by_volume_id(
        cls, context: Any, volume_id: Any, instance_uuid: Any = None, expected_attrs: Any = None
    ) -> Any: ...

    @remotable
    def save(self) -> None: ...

    @remotable
    def update_or_create(self) -> Any: ...


@register
class BlockDeviceMappingList(ObjectList):
    """The disks and volumes of one or more instances."""

    VERSION = "1.18"
    fields = {
        "objects": fields.ListOfObjectsField("BlockDeviceMapping"),
    }

    def root(self) -> BlockDeviceMapping | None:
        """The device that the instance boots from, if any."""
        return next((bdm for bdm in self if bdm.is_root), None)

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any, use_slave: Any = False) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance_uuids(cls, context: Any, instance_uuids: Any, use_slave: Any = False) -> Any: ...

    @classmethod
    @remotable
    def get_by_volume(cls, context: Any, volume_id: Any, use_slave: Any = False) -> Any: ...
