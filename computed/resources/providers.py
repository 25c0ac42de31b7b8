"""What placement is to know of a node: inventories, traits and child providers, as pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from oslo_log import log as logging

from computed.resources.provider_config import EVERY_NODE, ProviderConfig
from computed.resources.usage import MIB_PER_GIB, Usage
from computed.virt.specs import Inventory

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

VCPU, MEMORY_MB, DISK_GB = "VCPU", "MEMORY_MB", "DISK_GB"
CUSTOM_PREFIX = "CUSTOM_"
NODE_TRAITS = frozenset({"COMPUTE_NODE", "OWNER_NOVA"})
OWNER_TRAIT = "OWNER_NOVA"
DISABLED_TRAIT = "COMPUTE_STATUS_DISABLED"
# Shown only by a host that also has such devices: no device, no trait, whatever the driver can do.
_REMOTE_PORTS_TRAIT = "COMPUTE_REMOTE_MANAGED_PORTS"
_IMAGE_TYPE_PREFIX = "COMPUTE_IMAGE_TYPE_"

Record = Mapping[str, Any]
"""One inventory as placement spells it: total, reserved, min_unit, max_unit, step_size, allocation_ratio."""

_DEFAULTS: Record = {
    "reserved": 0,
    "min_unit": 1,
    "max_unit": 2147483647,
    "step_size": 1,
    "allocation_ratio": 1.0,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """The options that turn what a node has into what it offers.

    `ratios`: configured ratio by resource class, only those that are set; `initial_ratios`: for a class that
    placement does not have yet. `reserved` is what is kept for the host, disk rounded up to whole GiB;
    `reserved_in_use` the same as it counts in the compute node record, disk rounded down.
    """

    ratios: Mapping[str, float]
    initial_ratios: Mapping[str, float]
    reserved: Usage
    reserved_in_use: Usage
    excluded_image_types: frozenset[str] = frozenset()

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> Offer:
        """From the options cpu/ram/disk_allocation_ratio, initial_*, reserved_host_* and
        [compute]image_type_exclude_list; a ratio of 0.0 means that none is set."""
        configured = {
            VCPU: conf.cpu_allocation_ratio,
            MEMORY_MB: conf.ram_allocation_ratio,
            DISK_GB: conf.disk_allocation_ratio,
        }
        initial = {
            VCPU: conf.initial_cpu_allocation_ratio,
            MEMORY_MB: conf.initial_ram_allocation_ratio,
            DISK_GB: conf.initial_disk_allocation_ratio,
        }
        cpus, memory_mib = conf.reserved_host_cpus, conf.reserved_host_memory_mb
        return cls(
            ratios={name: ratio for name, ratio in configured.items() if ratio},
            initial_ratios=initial,
            reserved=Usage(cpus, memory_mib, math.ceil(conf.reserved_host_disk_mb / MIB_PER_GIB)),
            reserved_in_use=Usage(cpus, memory_mib, conf.reserved_host_disk_mb // MIB_PER_GIB),
            excluded_image_types=frozenset(
                f"{_IMAGE_TYPE_PREFIX}{name.upper()}" for name in conf.compute.image_type_exclude_list
            ),
        )


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What the driver and the service record say of one node, for placement."""

    node_uuid: str
    nodename: str
    inventories: Mapping[str, Mapping[str, Inventory]]
    traits: frozenset[str]
    owned_traits: frozenset[str] = frozenset()
    owns_child: Callable[[str], bool] = lambda name: False
    """Whether a child of this name is the driver's; such a one that it does not report is deleted."""
    is_disabled: Callable[[], bool | None] = lambda: None
    """Whether the service is disabled, asked at each attempt to tell: it may change meanwhile. None is
    unknown, and leaves the trait as it is."""


@dataclass(frozen=True, slots=True)
class ProviderView:
    """One provider as placement had it when it was last read or written."""

    uuid: str
    name: str
    parent_uuid: str | None
    generation: int
    inventories: Mapping[str, Record] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WantedProvider:
    """One provider as it should be. Aggregates are never written: they belong to the API."""

    name: str
    inventories: Mapping[str, Record]
    traits: frozenset[str]


def wanted_root(report: NodeReport, present: ProviderView | None, offer: Offer) -> WantedProvider:
    """The node's own provider, before the configuration files add to it."""
    before = present or ProviderView(report.node_uuid, report.nodename, None, 0)
    offered = report.inventories.get(report.nodename, {})
    return WantedProvider(
        report.nodename,
        root_inventories(offered, before.inventories, offer),
        root_traits(report, before.traits, offer),
    )


def root_inventories(
    offered: Mapping[str, Inventory], present: Mapping[str, Record], offer: Offer
) -> dict[str, Record]:
    """Inventories of a root provider: totals of the driver, ratios by the options, reserved what the driver
    and the options keep.

    The ratio is the configured one, else the one that placement has, else the initial one (service.json,
    resource_classes.libvirt.ratio_rule). A class of which there is nothing is left out.
    """
    reserved = {
        VCPU: offer.reserved.vcpus,
        MEMORY_MB: offer.reserved.memory_mib,
        DISK_GB: offer.reserved.disk_gib,
    }
    wanted: dict[str, Record] = {}
    for name, inventory in offered.items():
        if name in reserved:
            inventory = replace(
                inventory,
                reserved=inventory.reserved + reserved[name],
                allocation_ratio=_ratio(name, present, offer),
            )
        if inventory.total:
            wanted[name] = as_record(inventory)
    return wanted


def _ratio(name: str, present: Mapping[str, Record], offer: Offer) -> float:
    if name in offer.ratios:
        return offer.ratios[name]
    if name in present:
        return float(present[name]["allocation_ratio"])
    return offer.initial_ratios[name]


def as_record(inventory: Inventory) -> Record:
    """An inventory in the words of placement; without a `max_unit` one request may take all of it."""
    return {
        "total": inventory.total,
        "reserved": inventory.reserved,
        "min_unit": inventory.min_unit,
        "max_unit": inventory.total if inventory.max_unit is None else inventory.max_unit,
        "step_size": inventory.step_size,
        "allocation_ratio": inventory.allocation_ratio,
    }


def root_traits(report: NodeReport, present: frozenset[str], offer: Offer) -> frozenset[str]:
    """Traits of a root provider: what others put there stays, what the driver decides about follows it."""
    supported = report.traits - offer.excluded_image_types - {_REMOTE_PORTS_TRAIT}
    traits = (present - report.owned_traits) | supported | NODE_TRAITS
    is_disabled = report.is_disabled()
    if is_disabled is None:
        return traits
    return traits | {DISABLED_TRAIT} if is_disabled else traits - {DISABLED_TRAIT}


def wanted_tree(
    report: NodeReport,
    present: Mapping[str, ProviderView],
    offer: Offer,
    configs: Sequence[ProviderConfig] = (),
) -> dict[str, WantedProvider]:
    """Every provider of the node's tree that we say something about, by name, the root first.

    `present` is the tree as placement has it, by name. Providers of others are in the answer only when a
    configuration file adds to them.
    """
    wanted = {report.nodename: wanted_root(report, present.get(report.nodename), offer)}
    for name, offered in report.inventories.items():
        if name != report.nodename:
            before = present[name].traits if name in present else frozenset()
            records = {key: as_record(inventory) for key, inventory in offered.items() if inventory.total}
            wanted[name] = WantedProvider(name, records, before | {OWNER_TRAIT})
    for config, name in matches(report, present, configs):
        base = wanted.get(name) or _as_it_is(present[name])
        wanted[name] = _with_additions(base, config, report.inventories.get(name, {}))
    return wanted


def matches(
    report: NodeReport, present: Mapping[str, ProviderView], configs: Sequence[ProviderConfig]
) -> list[tuple[ProviderConfig, str]]:
    """Which entries speak of which providers of this tree; EVERY_NODE only of a root that none names.

    A provider that one entry names and another one gives the uuid of gets the first of them, with an error
    in the log: the files contradict each other.
    """
    names = {report.nodename, *report.inventories, *present}
    uuids = {view.uuid: name for name, view in present.items()} | {report.node_uuid: report.nodename}
    found: dict[str, ProviderConfig] = {}
    for config in configs:
        name = uuids.get(config.identifier) or (config.identifier if config.identifier in names else None)
        if name in found:
            LOG.error(
                "Provider %s is configured by uuid and by name, in %s and %s: the second is ignored",
                name,
                found[name].source,
                config.source,
            )
        elif name is not None:
            found[name] = config
    everywhere = next((config for config in configs if config.identifier == EVERY_NODE), None)
    if everywhere is not None:
        found.setdefault(report.nodename, everywhere)
    return [(config, name) for name, config in found.items()]


def _as_it_is(view: ProviderView) -> WantedProvider:
    return WantedProvider(view.name, view.inventories, view.traits)


def _with_additions(
    wanted: WantedProvider, config: ProviderConfig, offered: Mapping[str, Inventory]
) -> WantedProvider:
    clashing = sorted(config.inventories.keys() & offered.keys())
    if clashing:
        LOG.error(
            "%s adds %s to provider %s, which the driver itself reports there: not added",
            config.source,
            ", ".join(clashing),
            wanted.name,
        )
    additions = {
        name: {**_DEFAULTS, **given} for name, given in config.inventories.items() if name not in offered
    }
    return WantedProvider(
        wanted.name,
        {**wanted.inventories, **additions},
        wanted.traits | config.traits | {OWNER_TRAIT},
    )


def same_inventories(one: Mapping[str, Record], other: Mapping[str, Record]) -> bool:
    """Whether two sets of inventories say the same; a ratio may come back in single precision."""
    return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)


def _same(one: Record, other: Record) -> bool:
    return all(math.isclose(one[key], other[key], rel_tol=1e-6) for key in ("total", *_DEFAULTS))
