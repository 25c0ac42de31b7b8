"""What the scheduler was asked for."""

from __future__ import annotations

from typing import Any

from computed import objects
from computed.objects import fields
from computed.objects.base import ComputedObject, Ephemeral, register
from computed.objects.remote import remotable


@register
class RequestSpec(ComputedObject):
    """What the scheduler was asked for."""

    VERSION = "1.15"
    fields = {
        "availability_zone": fields.StringField(nullable=True),
        "flavor": fields.ObjectField("Flavor"),
        "force_hosts": fields.ListOfStringsField(nullable=True),
        "force_nodes": fields.ListOfStringsField(nullable=True),
        "id": fields.IntegerField(),
        "ignore_hosts": fields.ListOfStringsField(nullable=True),
        "image": fields.ObjectField("ImageMeta", nullable=True),
        "instance_group": fields.ObjectField("InstanceGroup", nullable=True),
        "instance_uuid": fields.UUIDField(),
        "is_bfv": fields.BooleanField(),
        "limits": fields.ObjectField("SchedulerLimits", nullable=True),
        "network_metadata": fields.ObjectField("NetworkMetadata"),
        "num_instances": fields.IntegerField(default=1),
        "numa_topology": fields.ObjectField("InstanceNUMATopology", nullable=True),
        "pci_requests": fields.ObjectField("InstancePCIRequests", nullable=True),
        "project_id": fields.StringField(nullable=True),
        "request_level_params": fields.ObjectField("RequestLevelParams"),
        "requested_destination": fields.ObjectField("Destination", nullable=True, default=None),
        "requested_networks": fields.ObjectField("NetworkRequestList"),
        "requested_resources": fields.ListOfObjectsField("RequestGroup", nullable=True, default=None),
        "retry": fields.ObjectField("SchedulerRetries", nullable=True),
        "scheduler_hints": fields.DictOfListOfStringsField(nullable=True),
        "security_groups": fields.ObjectField("SecurityGroupList"),
        "user_id": fields.StringField(nullable=True),
    }
    LAZY_DEFAULTS = {
        "network_metadata": lambda: objects.NetworkMetadata(physnets=set(), tunneled=False),
        "request_level_params": lambda: objects.RequestLevelParams(),
        "requested_networks": lambda: objects.NetworkRequestList(),
        "security_groups": lambda: objects.SecurityGroupList(),
    }

    @remotable
    def create(self) -> None: ...

    @remotable
    def destroy(self) -> None: ...

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...

    @classmethod
    @remotable
    def get_by_instance_uuids(cls, context: Any, instance_uuids: Any) -> Any: ...

    @remotable
    def save(self) -> None: ...


@register
class Destination(ComputedObject):
    """Where a request wants to, or must, land."""

    VERSION = "1.4"
    fields = {
        "aggregates": fields.ListOfStringsField(nullable=True, default=None),
        "allow_cross_cell_move": fields.BooleanField(default=False),
        "cell": fields.ObjectField("CellMapping", nullable=True),
        "forbidden_aggregates": fields.SetOfStringsField(nullable=True, default=None),
        "host": fields.StringField(),
        "node": fields.StringField(nullable=True),
    }


@register
class SchedulerRetries(ComputedObject):
    """Hosts that a build was tried on already."""

    VERSION = "1.1"
    fields = {
        "hosts": fields.ObjectField("ComputeNodeList"),
        "num_attempts": fields.IntegerField(),
    }


@register
class SchedulerLimits(ComputedObject):
    """How much of a host the scheduler lets be used."""

    VERSION = "1.0"
    fields = {
        "disk_gb": fields.IntegerField(nullable=True, default=None),
        "memory_mb": fields.IntegerField(nullable=True, default=None),
        "numa_topology": fields.ObjectField("NUMATopologyLimits", nullable=True, default=None),
        "vcpu": fields.IntegerField(nullable=True, default=None),
    }


@register
class RequestGroup(Ephemeral):
    """Resources and traits that one provider (or several) must have together."""

    VERSION = "1.3"
    fields = {
        "aggregates": fields.ListOfListsOfStringsField(default=[]),
        "forbidden_aggregates": fields.SetOfStringsField(default=set()),
        "forbidden_traits": fields.SetOfStringsField(default=set()),
        "in_tree": fields.UUIDField(nullable=True, default=None),
        "provider_uuids": fields.ListOfUUIDField(default=[]),
        "requester_id": fields.StringField(nullable=True, default=None),
        "required_traits": fields.SetOfStringsField(default=set()),
        "resources": fields.DictOfIntegersField(default={}),
        "use_same_provider": fields.BooleanField(default=True),
    }


@register
class RequestLevelParams(ComputedObject):
    """Demands on the resource providers of a request as a whole."""

    VERSION = "1.1"
    fields = {
        "root_forbidden": fields.SetOfStringsField(default=set()),
        "root_required": fields.SetOfStringsField(default=set()),
        "same_subtree": fields.ListOfListsOfStringsField(default=[]),
    }
