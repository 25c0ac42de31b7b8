"""Service records: who runs where, how new, and since when silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from computed import objects
from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, ObjectList, Persistent, register
from computed.objects.remote import remotable

if TYPE_CHECKING:
    import datetime

    from computed.objects.compute_node import ComputeNode

COMPUTE_BINARY: Final = "nova-compute"
"""What a compute service is called in its record and in its notifications."""


@register
class Service(Persistent, DictCompat, ComputedObject):
    """A service of the cloud on one host, and when it was last heard of."""

    VERSION = "1.22"
    fields = {
        "availability_zone": fields.StringField(nullable=True),
        "binary": fields.StringField(nullable=True),
        "compute_node": fields.ObjectField("ComputeNode"),
        "disabled": fields.BooleanField(),
        "disabled_reason": fields.StringField(nullable=True),
        "forced_down": fields.BooleanField(),
        "host": fields.StringField(nullable=True),
        "id": fields.IntegerField(read_only=True),
        "last_seen_up": fields.DateTimeField(nullable=True),
        "report_count": fields.IntegerField(),
        "topic": fields.StringField(nullable=True),
        "uuid": fields.UUIDField(),
        "version": fields.IntegerField(),
    }

    availability_zone: str | None
    binary: str | None
    compute_node: ComputeNode
    created_at: datetime.datetime | None
    deleted: bool
    deleted_at: datetime.datetime | None
    disabled: bool
    disabled_reason: str | None
    forced_down: bool
    host: str | None
    id: int
    last_seen_up: datetime.datetime | None
    report_count: int
    topic: str | None
    updated_at: datetime.datetime | None
    uuid: str
    version: int

    def obj_load_attr(self, attrname: str) -> None:
        """Load the compute node of the service's host; raises ComputeHostNotFound when there is none."""
        if attrname != "compute_node":
            super().obj_load_attr(attrname)
            return
        nodes = objects.ComputeNodeList.get_all_by_host(self.obj_context(), self.host)
        self.compute_node = nodes[0]
        self.obj_reset_changes(["compute_node"])

    @remotable
    def create(self) -> None: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def get_by_args(cls, context: Any, host: Any, binary: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_compute_host(cls, context: Any, host: Any, use_slave: Any = False) -> Any: ...

    @classmethod
    @remotable
    def get_by_host_and_binary(cls, context: Any, host: Any, binary: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_host_and_topic(cls, context: Any, host: Any, topic: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_id(cls, context: Any, service_id: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_uuid(cls, context: Any, service_uuid: Any) -> Any: ...

    @classmethod
    @remotable
    def get_minimum_version(cls, context: Any, binary: Any, use_slave: Any = False) -> Any: ...

    @classmethod
    @remotable
    def get_minimum_version_multi(cls, context: Any, binaries: Any, use_slave: Any = False) -> Any: ...

    @remotable
    def save(self) -> None: ...


@register
class ServiceList(ObjectList):
    """Services, as the conductor finds them."""

    VERSION = "1.19"
    fields = {
        "objects": fields.ListOfObjectsField("Service"),
    }

    @classmethod
    @remotable
    def get_all(cls, context: Any, disabled: Any = None, set_zones: Any = False) -> Any: ...

    @classmethod
    @remotable
    def get_all_computes_by_hv_type(cls, context: Any, hv_type: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_binary(cls, context: Any, binary: Any, include_disabled: Any = False) -> Any: ...

    @classmethod
    @remotable
    def get_by_host(cls, context: Any, host: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_topic(cls, context: Any, topic: Any) -> Any: ...
