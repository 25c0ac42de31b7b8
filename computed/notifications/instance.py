"""An instance, as notifications tell it: a payload class for each kind of event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from oslo_versionedobjects.fields import Enum

from computed.notifications.base import Payload, enum_field, known, payload_class
from computed.notifications.exception import ExceptionPayload
from computed.notifications.flavor import FlavorPayload
from computed.notifications.interface import IpPayload
from computed.notifications.keypair import KeypairPayload
from computed.notifications.storage import BlockDevicePayload, SharePayload
from computed.objects import fields


class _AutoOrManual(Enum):  # type: ignore[misc]
    """The record has a boolean where the payload has a word."""

    def coerce(self, obj: Any, attr: str, value: Any) -> Any:
        """AUTO for true, MANUAL for false."""
        return super().coerce(obj, attr, "AUTO" if value else "MANUAL")


DiskConfigField = enum_field("DiskConfig", "MANUAL", "AUTO", base=_AutoOrManual)
InstanceStateField = enum_field(
    "InstanceState",
    *("active", "building", "paused", "suspended", "stopped", "rescued", "resized", "soft-delete"),
    *("deleted", "error", "shelved", "shelved_offloaded"),
)
InstanceTaskStateField = enum_field(
    "InstanceTaskState",
    *("scheduling", "block_device_mapping", "networking", "spawning", "image_snapshot"),
    *("image_snapshot_pending", "image_pending_upload", "image_uploading", "image_backup"),
    *("updating_password", "resize_prep", "resize_migrating", "resize_migrated", "resize_finish"),
    *("resize_reverting", "resize_confirming", "rebooting", "reboot_pending", "reboot_started"),
    *("rebooting_hard", "reboot_pending_hard", "reboot_started_hard", "pausing", "unpausing", "suspending"),
    *("resuming", "powering-off", "powering-on", "rescuing", "unrescuing", "rebuilding"),
    *("rebuild_block_device_mapping", "rebuild_spawning", "migrating", "deleting", "soft-deleting"),
    *("restoring", "shelving", "shelving_image_pending_upload", "shelving_image_uploading"),
    *("shelving_offloading", "unshelving"),
)

_RECORDED = (
    *("architecture", "auto_disk_config", "availability_zone", "created_at", "deleted_at"),
    *("display_description", "display_name", "host", "kernel_id", "key_name", "launched_at", "locked"),
    *("metadata", "node", "os_type", "power_state", "progress", "ramdisk_id", "reservation_id"),
    *("task_state", "terminated_at", "updated_at", "user_id", "uuid"),
)


@dataclass(frozen=True)
class Told:
    """What is told of an instance beside its record."""

    context: Any
    instance: Any
    bdms: Iterable[Any] | None = None
    """Its block device mappings; None when they are not to be told."""
    shares: Iterable[Any] | None = None
    error: BaseException | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """Fields that only this kind of event has, by name."""


@payload_class
class InstancePayload(Payload):
    VERSION = "1.9"
    SOURCES = {
        **{name: ("instance", name) for name in _RECORDED},
        "host_name": ("instance", "hostname"),
        "image_uuid": ("instance", "image_ref"),
        "state": ("instance", "vm_state"),
        "tenant_id": ("instance", "project_id"),
    }
    NEEDS: ClassVar[tuple[str, ...]] = ("flavor", "info_cache", "metadata", "system_metadata")
    """Fields of the instance that are fetched, together, when they are missing."""
    fields = {
        "action_initiator_project": fields.StringField(nullable=True),
        "action_initiator_user": fields.StringField(nullable=True),
        "architecture": fields.StringField(nullable=True),
        "auto_disk_config": DiskConfigField(),
        "availability_zone": fields.StringField(nullable=True),
        "block_devices": fields.ListOfObjectsField("BlockDevicePayload", nullable=True),
        "created_at": fields.DateTimeField(nullable=True),
        "deleted_at": fields.DateTimeField(nullable=True),
        "display_description": fields.StringField(nullable=True),
        "display_name": fields.StringField(nullable=True),
        "flavor": fields.ObjectField("FlavorPayload"),
        "host": fields.StringField(nullable=True),
        "host_name": fields.StringField(nullable=True),
        "image_uuid": fields.StringField(nullable=True),
        "ip_addresses": fields.ListOfObjectsField("IpPayload"),
        "kernel_id": fields.StringField(nullable=True),
        "key_name": fields.StringField(nullable=True),
        "launched_at": fields.DateTimeField(nullable=True),
        "locked": fields.BooleanField(),
        "locked_reason": fields.StringField(nullable=True),
        "metadata": fields.DictOfStringsField(),
        "node": fields.StringField(nullable=True),
        "os_type": fields.StringField(nullable=True),
        "power_state": fields.InstancePowerStateField(nullable=True),
        "progress": fields.IntegerField(nullable=True),
        "ramdisk_id": fields.StringField(nullable=True),
        "request_id": fields.StringField(nullable=True),
        "reservation_id": fields.StringField(nullable=True),
        "shares": fields.ListOfObjectsField("SharePayload", nullable=True),
        "state": InstanceStateField(nullable=True),
        "task_state": InstanceTaskStateField(nullable=True),
        "tenant_id": fields.StringField(nullable=True),
        "terminated_at": fields.DateTimeField(nullable=True),
        "updated_at": fields.DateTimeField(nullable=True),
        "user_id": fields.StringField(nullable=True),
        "uuid": fields.UUIDField(),
    }

    @classmethod
    def telling(cls, told: Told) -> Self:
        """The payload of one event."""
        payload = cls.of(instance=told.instance)
        payload.describe(told)
        for name, value in told.details.items():
            payload.put(name, value)
        return payload

    def describe(self, told: Told) -> None:
        """Fill what is not simply taken over from the instance."""
        context, instance = told.context, told.instance
        info_cache = known(instance, "info_cache")
        flavor = known(instance, "flavor")
        self.ip_addresses = IpPayload.of_network_info(info_cache.network_info or () if info_cache else ())
        if flavor is not None:
            self.flavor = FlavorPayload.of(flavor=flavor)
        self.block_devices = None if told.bdms is None else BlockDevicePayload.of_volumes(told.bdms)
        self.shares = None if told.shares is None else [SharePayload.of(share=s) for s in told.shares]
        self.action_initiator_project = context.project_id
        self.action_initiator_user = context.user_id
        # A request id of our own periodic tasks would mean nothing to anybody.
        self.request_id = context.request_id if context.project_id and context.user_id else None
        self.locked_reason = (known(instance, "system_metadata") or {}).get("locked_reason")


@payload_class
class InstanceActionPayload(InstancePayload):
    VERSION = "1.9"
    fields = {"fault": fields.ObjectField("ExceptionPayload", nullable=True)}

    def describe(self, told: Told) -> None:
        """Add what went wrong."""
        super().describe(told)
        self.fault = None if told.error is None else ExceptionPayload.of_error(told.error)


@payload_class
class InstanceActionRebuildPayload(InstanceActionPayload):
    VERSION = "1.10"
    NEEDS = (*InstancePayload.NEEDS, "trusted_certs")
    fields = {"trusted_image_certificates": fields.ListOfStringsField(nullable=True)}

    def describe(self, told: Told) -> None:
        """Add the certificates that the image's signature is checked against."""
        super().describe(told)
        trusted = known(told.instance, "trusted_certs")
        self.trusted_image_certificates = None if trusted is None else list(trusted.ids)


@payload_class
class InstanceCreatePayload(InstanceActionPayload):
    VERSION = "1.13"
    NEEDS = (*InstancePayload.NEEDS, "keypairs", "tags", "trusted_certs")
    fields = {
        "instance_name": fields.StringField(nullable=True),
        "keypairs": fields.ListOfObjectsField("KeypairPayload"),
        "tags": fields.ListOfStringsField(),
        "trusted_image_certificates": fields.ListOfStringsField(nullable=True),
    }

    def describe(self, told: Told) -> None:
        """Add what only matters when an instance comes into being."""
        super().describe(told)
        instance = told.instance
        trusted = known(instance, "trusted_certs")
        self.trusted_image_certificates = None if trusted is None else list(trusted.ids)
        self.instance_name = instance.name
        self.keypairs = [KeypairPayload.of(keypair=pair) for pair in known(instance, "keypairs") or ()]
        self.tags = [tag.tag for tag in known(instance, "tags") or ()]


@payload_class
class InstanceActionRescuePayload(InstanceActionPayload):
    VERSION = "1.4"
    fields = {"rescue_image_ref": fields.UUIDField(nullable=True)}


@payload_class
class InstanceActionResizePrepPayload(InstanceActionPayload):
    """Its detail `new_flavor` is given as a Flavor."""

    VERSION = "1.4"
    fields = {"new_flavor": fields.ObjectField("FlavorPayload", nullable=True)}

    def put(self, name: str, value: Any) -> None:
        """A Flavor is told as one."""
        is_new_flavor = name == "new_flavor" and value is not None
        super().put(name, FlavorPayload.of(flavor=value) if is_new_flavor else value)


@payload_class
class InstanceActionSharePayload(InstanceActionPayload):
    VERSION = "1.0"
    fields = {"share_id": fields.UUIDField()}


@payload_class
class InstanceActionSnapshotPayload(InstanceActionPayload):
    VERSION = "1.10"
    fields = {"snapshot_image_id": fields.UUIDField()}


@payload_class
class InstanceActionVolumePayload(InstanceActionPayload):
    VERSION = "1.7"
    fields = {"volume_id": fields.UUIDField()}


@payload_class
class InstanceActionVolumeSwapPayload(InstanceActionPayload):
    VERSION = "1.9"
    fields = {"new_volume_id": fields.UUIDField(), "old_volume_id": fields.UUIDField()}


@payload_class
class AuditPeriodPayload(Payload):
    VERSION = "1.0"
    fields = {
        "audit_period_beginning": fields.DateTimeField(),
        "audit_period_ending": fields.DateTimeField(),
    }


@payload_class
class InstanceExistsPayload(InstancePayload):
    VERSION = "2.1"
    fields = {"audit_period": fields.ObjectField("AuditPeriodPayload")}


@payload_class
class InstanceStateUpdatePayload(Payload):
    VERSION = "1.0"
    fields = {
        name: fields.StringField(nullable=True)
        for name in ("new_task_state", "old_state", "old_task_state", "state")
    }


@payload_class
class InstanceUpdatePayload(InstancePayload):
    """Sent by a conductor after a save; the embedded one has use for it."""

    VERSION = "2.1"
    fields = {
        "audit_period": fields.ObjectField("AuditPeriodPayload"),
        "old_display_name": fields.StringField(nullable=True),
        "state_update": fields.ObjectField("InstanceStateUpdatePayload"),
        "tags": fields.ListOfStringsField(),
    }
