"""NUMA cells of a host and the limits on them."""

from __future__ import annotations

from computed.objects import fields
from computed.objects.base import ComputedObject, register


@register
class NUMACell(ComputedObject):
    """A NUMA cell of a host: its CPUs and memory and what of them is in use."""

    VERSION = "1.5"
    fields = {
        "cpu_usage": fields.IntegerField(default=0),
        "cpuset": fields.SetOfIntegersField(),
        "id": fields.IntegerField(read_only=True),
        "memory": fields.IntegerField(),
        "memory_usage": fields.IntegerField(default=0),
        "mempages": fields.ListOfObjectsField("NUMAPagesTopology"),
        "network_metadata": fields.ObjectField("NetworkMetadata"),
        "pcpuset": fields.SetOfIntegersField(),
        "pinned_cpus": fields.SetOfIntegersField(),
        "siblings": fields.ListOfSetsOfIntegersField(),
        "socket": fields.IntegerField(nullable=True),
    }


@register
class NUMAPagesTopology(ComputedObject):
    """Memory pages of one size in a NUMA cell of a host."""

    VERSION = "1.1"
    fields = {
        "reserved": fields.IntegerField(default=0),
        "size_kb": fields.IntegerField(),
        "total": fields.IntegerField(),
        "used": fields.IntegerField(default=0),
    }


@register
class NUMATopology(ComputedObject):
    """The NUMA cells of a host."""

    VERSION = "1.2"
    fields = {
        "cells": fields.ListOfObjectsField("NUMACell"),
    }


@register
class NUMATopologyLimits(ComputedObject):
    """How far a host may be overcommitted when a guest has a NUMA topology."""

    VERSION = "1.1"
    fields = {
        "cpu_allocation_ratio": fields.FloatField(),
        "network_metadata": fields.ObjectField("NetworkMetadata"),
        "ram_allocation_ratio": fields.FloatField(),
    }
