"""The NUMA topology that an instance has or wants."""

from __future__ import annotations

from typing import Any

from computed.objects import fields
from computed.objects.base import ComputedObject, DictCompat, Ephemeral, register
from computed.objects.remote import remotable


@register
class InstanceNUMACell(DictCompat, Ephemeral):
    """A NUMA cell of a guest: what it asks for and where on the host it was put."""

    VERSION = "1.6"
    fields = {
        "cpu_pinning_raw": fields.DictOfIntegersField(nullable=True, default=None),
        "cpu_policy": fields.CPUAllocationPolicyField(nullable=True, default=None),
        "cpu_thread_policy": fields.CPUThreadAllocationPolicyField(nullable=True, default=None),
        "cpu_topology": fields.ObjectField("VirtCPUTopology", nullable=True),
        "cpuset": fields.SetOfIntegersField(),
        "cpuset_reserved": fields.SetOfIntegersField(nullable=True, default=None),
        "id": fields.IntegerField(),
        "memory": fields.IntegerField(),
        "pagesize": fields.IntegerField(nullable=True, default=None),
        "pcpuset": fields.SetOfIntegersField(),
    }


@register
class InstanceNUMATopology(DictCompat, ComputedObject):
    """The NUMA cells of a guest."""

    VERSION = "1.3"
    fields = {
        "cells": fields.ListOfObjectsField("InstanceNUMACell"),
        "emulator_threads_policy": fields.CPUEmulatorThreadsPolicyField(nullable=True),
        "id": fields.IntegerField(),
        "instance_uuid": fields.UUIDField(),
    }

    @remotable
    def create(self) -> None: ...

    @classmethod
    @remotable
    def get_by_instance_uuid(cls, context: Any, instance_uuid: Any) -> Any: ...
