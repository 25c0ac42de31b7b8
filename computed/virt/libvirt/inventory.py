"""How much of everything the host has: CPUs by the configured sets, memory, disk, NUMA cells; pure sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import strutils

from computed import errors, objects
from computed.conf.neutron_physnet import group_name
from computed.lib.cpu_set import format_cpu_set, parse_cpu_set
from computed.virt.libvirt.design.host_facts import HostCell
from computed.virt.specs import Inventory

if TYPE_CHECKING:
    from oslo_config import cfg

GIB: Final = 1 << 30
_KIB_PER_MIB: Final = 1024
_NUMA_ARCHITECTURES: Final = frozenset({"i686", "x86_64", "aarch64"})
_NUMA_ANYWHERE: Final = frozenset({"ppc64", "ppc64le"})


@dataclass(frozen=True, slots=True)
class CpuSets:
    """CPUs for guests as configured; None where nothing is: [compute]cpu_shared_set, cpu_dedicated_set and
    the older vcpu_pin_set."""

    shared: frozenset[int] | None = None
    dedicated: frozenset[int] | None = None
    pinned: frozenset[int] | None = None

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> CpuSets:
        """As configured; raises InvalidConfiguration for what is no set or sets that contradict."""
        sets = cls(
            _set(conf.compute.cpu_shared_set, "[compute]cpu_shared_set"),
            _set(conf.compute.cpu_dedicated_set, "[compute]cpu_dedicated_set"),
            _set(conf.vcpu_pin_set, "vcpu_pin_set"),
        )
        sets.check(conf.reserved_host_cpus)
        return sets

    def check(self, reserved_cpus: int) -> None:
        """Raises InvalidConfiguration for sets that contradict each other or `reserved_host_cpus`."""
        if self.pinned:
            if self.dedicated:
                raise errors.InvalidConfiguration(
                    "vcpu_pin_set and [compute]cpu_dedicated_set exclude each other; unset vcpu_pin_set"
                )
            return
        if self.shared and self.dedicated and self.shared & self.dedicated:
            both = format_cpu_set(self.shared & self.dedicated)
            raise errors.InvalidConfiguration(
                f"CPUs {both} are in both [compute]cpu_shared_set and cpu_dedicated_set"
            )
        if (self.shared or self.dedicated) and reserved_cpus:
            raise errors.InvalidConfiguration(
                "reserved_host_cpus does not go with [compute]cpu_shared_set or cpu_dedicated_set; unset it"
            )

    def for_vcpus(self, online: frozenset[int]) -> frozenset[int]:
        """CPUs that guests share. Raises Invalid when one of them is not online."""
        if self.pinned:
            return _within(self.pinned, online, "vcpu_pin_set", "online")
        if self.shared:
            return _within(self.shared, online, "[compute]cpu_shared_set", "online")
        return frozenset() if self.dedicated else online

    def for_pcpus(self, online: frozenset[int]) -> frozenset[int]:
        """CPUs that a guest may have for itself. Raises Invalid when one of them is not online."""
        return _within(self.dedicated or frozenset(), online, "[compute]cpu_dedicated_set", "available")

    def for_pinning(self, online: frozenset[int]) -> frozenset[int]:
        """The same for the NUMA topology: without a dedicated set, guests are pinned to the shared CPUs,
        unless these are called so explicitly."""
        dedicated = self.for_pcpus(online)
        if dedicated or (self.shared and not self.pinned):
            return dedicated
        return self.for_vcpus(online)


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """A file system, in bytes."""

    total_bytes: int
    free_bytes: int
    used_bytes: int


def inventories(
    vcpus: int, pcpus: int, memory_mib: int, disk_gib: int, *, kept_disk_gib: int = 0
) -> dict[str, Inventory]:
    """What the root provider offers; placement takes no inventory of nothing (service.json). `kept_disk_gib`
    of the disk are for nobody."""
    totals = {"MEMORY_MB": memory_mib, "VCPU": vcpus, "PCPU": pcpus, "DISK_GB": disk_gib}
    kept = {"DISK_GB": kept_disk_gib}
    return {name: Inventory(total, reserved=kept.get(name, 0)) for name, total in totals.items() if total}


def available_least_gib(space: DiskSpace, overcommitted_bytes: int) -> int:
    """What would be left if every disk of a guest grew to its full size; may be negative."""
    return int((space.free_bytes - overcommitted_bytes) / GIB)


@dataclass(frozen=True, slots=True)
class NumaOptions:
    """[neutron] physnets with their numa_nodes, those of tunnels, and `reserved_huge_pages` by cell and
    size in KiB."""

    physnets: Mapping[str, frozenset[int]] = field(default_factory=dict)
    tunnels: frozenset[int] = frozenset()
    reserved_pages: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> NumaOptions:
        """As configured; raises InvalidNetworkNUMAAffinity, InvalidReservedMemoryPagesOption."""
        physnets = {}
        for name in conf.neutron.physnets:
            nodes = conf[group_name(name)].numa_nodes
            if not nodes:
                raise errors.InvalidNetworkNUMAAffinity(
                    reason=f"[neutron]physnets names {name}, but [{group_name(name)}]numa_nodes is not set"
                )
            physnets[name] = frozenset(nodes)
        return cls(physnets, frozenset(conf.neutron_tunnel.numa_nodes), reserved_pages(conf))


def reserved_pages(conf: cfg.ConfigOpts) -> dict[tuple[int, int], int]:
    """(cell, size in KiB) → pages kept for the host; a size is KiB or has a unit ("1GB").

    Raises InvalidReservedMemoryPagesOption.
    """
    found = {}
    try:
        for option in conf.reserved_huge_pages or ():
            found[int(option["node"]), _kib(option["size"])] = int(option["count"])
    except (ValueError, TypeError, KeyError):
        raise errors.InvalidReservedMemoryPagesOption(conf=conf.reserved_huge_pages) from None
    return found


def has_numa(arch: str, driver_type: str) -> bool:
    """Whether guests can be bound to cells here; `driver_type` is libvirt's name of the hypervisor."""
    return arch in _NUMA_ANYWHERE or (arch in _NUMA_ARCHITECTURES and driver_type == "QEMU")


def numa_topology(
    host_cells: Iterable[HostCell],
    sockets: Mapping[int, int | None],
    shared: frozenset[int],
    dedicated: frozenset[int],
    options: NumaOptions,
) -> Any:
    """The host's cells as an objects.NUMATopology with nothing in use; None for a host without cells.

    Raises InvalidNetworkNUMAAffinity when a network is said to be near a cell that is not there.
    """
    known = list(host_cells)
    _check_affinity({cell.id for cell in known}, options)
    if not known:
        return None
    return objects.NUMATopology(
        cells=[_cell(cell, sockets.get(cell.id), shared, dedicated, options) for cell in known]
    )


def _cell(
    cell: HostCell,
    socket: int | None,
    shared: frozenset[int],
    dedicated: frozenset[int],
    options: NumaOptions,
) -> Any:
    usable = cell.cpus & (shared | dedicated)
    siblings = [set(group & usable) for group in cell.siblings if group & usable]
    return objects.NUMACell(
        id=cell.id,
        socket=socket,
        cpuset=set(cell.cpus & shared),
        pcpuset=set(cell.cpus & dedicated),
        memory=cell.memory_kib // _KIB_PER_MIB,
        cpu_usage=0,
        memory_usage=0,
        pinned_cpus=set(),
        siblings=siblings,
        mempages=[
            objects.NUMAPagesTopology(
                size_kb=pages.size_kib,
                total=pages.total,
                used=0,
                reserved=options.reserved_pages.get((cell.id, pages.size_kib), 0),
            )
            for pages in cell.pages
        ],
        network_metadata=objects.NetworkMetadata(
            physnets={name for name, nodes in options.physnets.items() if cell.id in nodes},
            tunneled=cell.id in options.tunnels,
        ),
    )


def _check_affinity(cells: set[int], options: NumaOptions) -> None:
    for name, nodes in {**options.physnets, "tunnels": options.tunnels}.items():
        missing = nodes - cells
        if missing:
            raise errors.InvalidNetworkNUMAAffinity(
                reason=f"{name}: this host has no NUMA cell {', '.join(map(str, sorted(missing)))}"
            )


def _kib(size: Any) -> int:
    try:
        return int(size)
    except ValueError:
        return int(strutils.string_to_bytes(size, return_int=True) // 1024)


def _set(text: str | None, option: str) -> frozenset[int] | None:
    if not text:
        return None
    try:
        cpus = frozenset(parse_cpu_set(text))
    except ValueError as error:
        raise errors.InvalidConfiguration(f"{option} = {text}: {error}") from error
    if not cpus:
        raise errors.InvalidConfiguration(f"{option} = {text}: no CPU is left")
    return cpus


def _within(wanted: frozenset[int], there: frozenset[int], option: str, word: str) -> frozenset[int]:
    missing = wanted - there
    if missing:
        raise errors.Invalid(
            f"{option}: CPUs {format_cpu_set(missing)} are not {word} here ({format_cpu_set(there)} are)"
        )
    return wanted
