"""On which CPUs and memory nodes of the host a guest lies, and how its CPUs are scheduled."""

from __future__ import annotations

from typing import Any, Final

from computed import errors
from computed.hardware.cpu_masks import realtime_vcpus
from computed.lib.cpu_set import format_cpu_set
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.host_facts import HostCell
from computed.virt.libvirt.xml.cpu import Cpu, CpuTune, IoThreadPin, NumaCell, VcpuPin, VcpuScheduler
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.libvirt.xml.memory import MemoryNode, NumaTune

_KIB_PER_MIB: Final = 1024
_EMULATOR_POLICIES: Final = ("share", "isolate")


def design_cpu_quota(draft: Draft, domain: Domain) -> None:
    """quota:cpu_shares, _period and _quota. Raises UnsupportedHostCPUControlPolicy, Invalid."""
    wishes = draft.wishes
    shares = wishes.number("quota:cpu_shares")
    period = wishes.number("quota:cpu_period")
    quota = wishes.number("quota:cpu_quota", least=-1)
    if shares is None and period is None and quota is None:
        return
    if not draft.host.has_cpu_control:
        raise errors.UnsupportedHostCPUControlPolicy()
    tune = domain.cpu_tune = domain.cpu_tune or CpuTune()
    tune.shares, tune.period_us, tune.quota_us = shares, period, quota


def design_numa(draft: Draft, domain: Domain) -> None:
    """Pins, memory nodes and the cells that the guest sees, as the claim of a stock agent has placed them on
    this host (resources/unplaced.py refuses new ones).

    Without a NUMA topology the guest floats over [compute]cpu_shared_set, if there is one. Raises
    NUMATopologyUnsupported, RealtimeMaskNotFoundOrInvalid, InvalidEmulatorThreadsPolicy, Invalid.
    """
    emulator_policy(draft)
    topology = draft.instance.numa_topology
    if topology is None:
        shared = _shared_cpus(draft)
        domain.vcpu_cpuset = None if shared is None else format_cpu_set(shared)
        return
    if draft.is_container or not draft.host.cells:
        raise errors.NUMATopologyUnsupported()
    shares_memory = _is_on_huge_pages(topology, draft.host.cells)
    domain.cpu = domain.cpu or Cpu(match="exact")
    domain.cpu.numa_cells = [
        NumaCell(
            id=number,
            cpus=format_cpu_set(_vcpus(cell)),
            memory_kib=cell.memory * _KIB_PER_MIB,
            # A vhost-user port that is attached some day needs it, and it cannot be changed then.
            memory_access="shared" if shares_memory else None,
        )
        for number, cell in enumerate(topology.cells)
    ]
    places = _places(topology, draft.host.cells)
    domain.numa_tune = NumaTune(
        mode="strict",
        nodeset=format_cpu_set(host.id for _, host in places),
        nodes=[
            MemoryNode(cell_id=number, mode="strict", nodeset=str(host.id))
            for number, (_, host) in enumerate(places)
        ],
    )
    _pin(draft, domain, places)


def realtime_of(draft: Draft) -> frozenset[int]:
    """The virtual CPUs that are real-time; none unless hw:cpu_realtime says so."""
    wishes = draft.wishes
    if not wishes.extra_flag("hw:cpu_realtime"):
        return frozenset()
    flavor, image = wishes.both("cpu_realtime_mask")
    return realtime_vcpus(
        draft.instance.flavor.vcpus,
        image or flavor,
        emulator_is_elsewhere=emulator_policy(draft) is not None,
    )


def emulator_policy(draft: Draft) -> str | None:
    """hw:emulator_threads_policy; raises InvalidEmulatorThreadsPolicy."""
    policy = draft.wishes.extra("hw:emulator_threads_policy")
    if policy and policy not in _EMULATOR_POLICIES:
        raise errors.InvalidEmulatorThreadsPolicy(
            f"hw:emulator_threads_policy is {policy!r}; it can be {', '.join(_EMULATOR_POLICIES)}."
        )
    return policy or None


def _pin(draft: Draft, domain: Domain, places: list[tuple[Any, HostCell]]) -> None:
    tune = domain.cpu_tune = domain.cpu_tune or CpuTune()
    pins = {vcpu: _pin_of(vcpu, cell, host) for cell, host in places for vcpu in _vcpus(cell)}
    tune.pins = [VcpuPin(vcpu=vcpu, cpuset=format_cpu_set(pins[vcpu])) for vcpu in sorted(pins)]
    realtime = realtime_of(draft)
    if realtime:
        tune.schedulers = [
            VcpuScheduler(
                vcpus=format_cpu_set(realtime), scheduler="fifo", priority=draft.options.realtime_priority
            )
        ]
    emulator = _emulator_cpus(draft, pins, realtime, places)
    if emulator:
        tune.emulator_cpuset = format_cpu_set(emulator)
        if domain.io_threads:
            tune.io_thread_pins = [
                IoThreadPin(io_thread=number, cpuset=format_cpu_set(emulator))
                for number in range(1, domain.io_threads + 1)
            ]


def _emulator_cpus(
    draft: Draft,
    pins: dict[int, frozenset[int]],
    realtime: frozenset[int],
    places: list[tuple[Any, HostCell]],
) -> frozenset[int]:
    """Where the emulator's threads run: on CPUs of their own, on shared ones, or beside the guest's."""
    topology = draft.instance.numa_topology
    policy = topology.emulator_threads_policy if "emulator_threads_policy" in topology else None
    if policy == "isolate":
        return frozenset().union(*(cell.cpuset_reserved or () for cell, _ in places))
    if policy == "share":
        shared = _shared_cpus(draft)
        if shared is not None:
            return shared
    return frozenset().union(*(cpus for vcpu, cpus in pins.items() if vcpu not in realtime))


def _shared_cpus(draft: Draft) -> frozenset[int] | None:
    """[compute]cpu_shared_set as far as it is online; raises Invalid when nothing of it is."""
    shared = draft.options.shared_cpus
    if not shared:
        return None
    online = draft.host.online_cpus
    if not online:
        return shared
    if not shared & online:
        raise errors.Invalid(
            f"No CPU of [compute]cpu_shared_set {format_cpu_set(shared)} is online; "
            f"online are {format_cpu_set(online)}."
        )
    return shared & online


def _vcpus(cell: Any) -> set[int]:
    dedicated = cell.pcpuset if "pcpuset" in cell else None
    return set(cell.cpuset or ()) | set(dedicated or ())


def _pin_of(vcpu: int, cell: Any, host: HostCell) -> frozenset[int]:
    pinning = cell.cpu_pinning_raw or {}  # JSON made text of the virtual CPUs
    return frozenset({pinning[str(vcpu)]}) if str(vcpu) in pinning else host.cpus


def _places(topology: Any, cells: tuple[HostCell, ...]) -> list[tuple[Any, HostCell]]:
    """Each cell of the guest with the host's cell of the same id, where the claim put it."""
    by_id = {cell.id: cell for cell in cells}
    missing = sorted(cell.id for cell in topology.cells if cell.id not in by_id)
    if missing:
        raise errors.NUMATopologyUnsupported(
            f"The claim put the guest on NUMA cells {missing}, which this host does not have."
        )
    return [(cell, by_id[cell.id]) for cell in topology.cells]


def page_sizes_kib(cells: tuple[HostCell, ...]) -> list[int]:
    """The sizes of the host's memory pages, smallest first."""
    return sorted(page.size_kib for page in cells[0].pages) if cells else []


def _is_on_huge_pages(topology: Any, cells: tuple[HostCell, ...]) -> bool:
    huge = page_sizes_kib(cells)[1:]
    return any(cell.pagesize in huge for cell in topology.cells)
