"""CPU models, features and topologies."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, register
from computed.objects.remote import remotable


@register
class VirtCPUFeature(ComputedObject):
    """A CPU flag and what a guest is to do with it."""

    VERSION = "1.0"
    fields = {
        "name": fields.StringField(),
        "policy": fields.CPUFeaturePolicyField(nullable=True),
    }
    LAZY_DEFAULTS = {"policy": None}


@register
class VirtCPUModel(ComputedObject):
    """The CPU a guest sees."""

    VERSION = "1.0"
    fields = {
        "arch": fields.ArchitectureField(nullable=True),
        "features": fields.ListOfObjectsField("VirtCPUFeature", default=[]),
        "match": fields.CPUMatchField(nullable=True),
        "mode": fields.CPUModeField(nullable=True),
        "model": fields.StringField(nullable=True),
        "topology": fields.ObjectField("VirtCPUTopology", nullable=True),
        "vendor": fields.StringField(nullable=True),
    }
    LAZY_DEFAULTS = dict.fromkeys(("arch", "match", "mode", "model", "topology", "vendor"))

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...


@register
class VirtCPUTopology(ComputedObject):
    """How the CPUs of a guest are divided into sockets, cores and threads."""

    VERSION = "1.0"
    fields = {
        "cores": fields.IntegerField(nullable=True, default=1),
        "sockets": fields.IntegerField(nullable=True, default=1),
        "threads": fields.IntegerField(nullable=True, default=1),
    }
