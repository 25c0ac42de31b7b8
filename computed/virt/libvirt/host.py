"""The host as libvirt and the kernel know it: its facts, its resources, all its guests in one call."""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from oslo_serialization import jsonutils

from computed import errors
from computed.lib.offload import offload
from computed.objects.enumerations import ArchitectureField, HVTypeField, VMModeField
from computed.virt import node_identity, uptime
from computed.virt.libvirt import cpu_facts, host_flags, host_reading, inventory, traits
from computed.virt.libvirt.codes import Failure, RunState, Stats, StatsOf
from computed.virt.libvirt.cpu_facts import GuestCpu
from computed.virt.libvirt.design.host_facts import HostFacts
from computed.virt.libvirt.host_reading import Reading
from computed.virt.libvirt.inventory import CpuSets, DiskSpace, NumaOptions
from computed.virt.libvirt.power_states import power_state
from computed.virt.libvirt.traits import TraitFacts
from computed.virt.specs import GuestState, HostCpuTimes, Inventory, NodeResources

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.virt.libvirt.connection import Connection

LOG = logging.getLogger(__name__)

# Contract: virt_driver.json, libvirt_constants.
_OLDEST_LIBVIRT: Final = 8_000_000
_OLDEST_QEMU: Final = 6_002_000
_TPM_TRAITS: Final = "COMPUTE_SECURITY_TPM_"
_ALL_CPUS: Final = -1
_CPU_TIMES: Final = ("user", "kernel", "idle", "iowait")
_FREQUENCY: Final = 3
"""Where virNodeInfo has it, in MHz."""
_MACHINES: Final = frozenset({"kvm", "qemu"})
# virConnectListAllDomainsFlags, for hypervisors without bulk statistics.
_LISTS: Final[Mapping[int, RunState]] = {
    16: RunState.RUNNING,
    32: RunState.PAUSED,
    64: RunState.SHUTOFF,
    128: RunState.NOSTATE,
}


class Host:
    """What is told of this host. Every method may raise HypervisorUnavailable and LibvirtFailed."""

    def __init__(self, connection: Connection, conf: cfg.ConfigOpts) -> None:
        self._connection = connection
        self._conf = conf
        self._lock = threading.Lock()
        self._read: tuple[int, Reading] | None = None
        self._hostname: str | None = None
        self._fresh_identity = str(uuid.uuid4())

    # What stays as it is

    def reading(self) -> Reading:
        """What does not change while libvirt runs; read again after each reconnection."""
        generation = self._connection.generation
        with self._lock:
            if self._read is None or self._read[0] != generation or not generation:
                reading = host_reading.read(
                    self._connection, GuestCpu.from_conf(self._conf), self._machine_types()
                )
                self._read = self._connection.generation, reading
            return self._read[1]

    def facts(self) -> HostFacts:
        """What designers of guests ask."""
        return self.reading().facts

    def check(self) -> None:
        """Refuse what cannot work, before anything is done.

        Raises InvalidConfiguration, Invalid, InvalidCPUInfo, StartRefused when libvirt or QEMU is too old.
        """
        CpuSets.from_conf(self._conf)
        _check_file_backed_memory(self._conf)
        reading = self.reading()
        _require("libvirt", reading.libvirt_version, _OLDEST_LIBVIRT)
        if self._conf.libvirt.virt_type in _MACHINES and reading.driver_type == "QEMU":
            _require("QEMU", reading.hypervisor_version, _OLDEST_QEMU)
        if self._conf.libvirt.virt_type == "kvm" and not reading.has_kvm:
            LOG.warning("[libvirt]virt_type = kvm, but libvirt offers no KVM here: no guest will start")

    @property
    def flags(self) -> dict[str, bool]:
        """Capabilities by nova's names; asks nobody."""
        return host_flags.of(self._conf, self._read[1] if self._read else None)

    def node_name(self) -> str:
        """The name of the one node. It stays until the agent starts again, whatever the host is renamed."""
        hostname = self.reading().hostname
        if self._hostname is None:
            self._hostname = hostname
        elif hostname != self._hostname:
            LOG.error(
                "This host is now called %s; it stays %s until this agent starts again",
                hostname,
                self._hostname,
            )
        return self._hostname

    def node_uuid(self) -> str:
        """Who this node is: the identity file says it; without one it is new."""
        return node_identity.read(self._conf) or self._fresh_identity

    def traits(self) -> dict[str, bool]:
        """Every trait that the host decides → whether it is there."""
        reading = self.reading()
        libvirt = self._conf.libvirt
        decided = traits.decided(
            TraitFacts(
                virt_type=libvirt.virt_type,
                arch=reading.arch,
                libvirt_version=reading.libvirt_version,
                qemu_version=reading.hypervisor_version,
                domains=reading.domains,
                cpu_features=reading.guest_features,
                has_hyperthreading=cpu_facts.has_hyperthreading(reading.facts.cells),
                swtpm_enabled=libvirt.swtpm_enabled,
                tpm_secret_security=tuple(libvirt.supported_tpm_secret_security),
            )
        )
        # Nobody here hands a TPM's secret to libvirt yet; a stock agent may have said that it is done.
        return {name: said and not name.startswith(_TPM_TRAITS) for name, said in decided.items()}

    # What changes

    def resources(self, node: str) -> NodeResources:
        """Totals and facts of the node (contract: service.json, compute_node)."""
        reading = self.reading()
        space = self.disk_space()
        shared, _dedicated, pinning = self._cpus()
        return NodeResources(
            hypervisor_hostname=node,
            uuid=self.node_uuid(),
            hypervisor_type=reading.driver_type,
            hypervisor_version=reading.hypervisor_version,
            vcpus=len(shared),
            memory_mib=self._memory_mib(),
            disk_gib=space.total_bytes // inventory.GIB,
            cpu_info=cpu_facts.cpu_info(reading.capabilities, reading.features),
            supported_instances=supported_instances(reading),
            disk_available_least=inventory.available_least_gib(space, self._overcommitted_bytes()),
            numa_topology=self._numa_topology(reading, shared, pinning),
            stats={"uptime": uptime.read()},
        )

    def inventories(self, *, kept_disk_gib: int = 0) -> dict[str, Inventory]:
        """What the root provider offers; `kept_disk_gib` of its disk are for nobody."""
        shared, dedicated, _pinning = self._cpus()
        disk_gib = self.disk_space().total_bytes // inventory.GIB
        return inventory.inventories(
            len(shared), len(dedicated), self._memory_mib(), disk_gib, kept_disk_gib=kept_disk_gib
        )

    def cpu_times(self) -> HostCpuTimes:
        """What the processors have done since the host started."""
        spent = self._connection.call("getCPUStats", _ALL_CPUS, 0)
        frequency_mhz = self._connection.call("getInfo")[_FREQUENCY]
        return HostCpuTimes(**{name: spent[name] for name in _CPU_TIMES}, frequency_mhz=frequency_mhz)

    def states(self) -> dict[str, GuestState]:
        """Every guest by uuid, in one call (four for containers)."""
        try:
            found = self._connection.call("getAllDomainStats", int(Stats.STATE), 0)
        except errors.LibvirtFailed as error:
            if error.code != Failure.NO_SUPPORT:
                raise
            return self._states_by_lists()
        states = [_state(domain, figures.get("state.state")) for domain, figures in found]
        return {state.uuid: state for state in states}

    def disk_space(self) -> DiskSpace:
        """The file system of `instances_path`."""
        found = offload(os.statvfs, self._conf.instances_path)
        return DiskSpace(
            total_bytes=found.f_frsize * found.f_blocks,
            free_bytes=found.f_frsize * found.f_bavail,
            used_bytes=found.f_frsize * (found.f_blocks - found.f_bfree),
        )

    def _states_by_lists(self) -> dict[str, GuestState]:
        found = {}
        for flag, run_state in _LISTS.items():
            for domain in self._connection.call("listAllDomains", flag):
                state = _state(domain, run_state)
                found[state.uuid] = state
        return found

    def _cpus(self) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
        """CPUs for VCPU, for PCPU, and for guests that are pinned by a NUMA topology."""
        sets = CpuSets.from_conf(self._conf)
        count, is_online, _online = self._connection.call("getCPUMap")
        online = frozenset(cpu for cpu in range(count) if is_online[cpu])
        return sets.for_vcpus(online), sets.for_pcpus(online), sets.for_pinning(online)

    def _memory_mib(self) -> int:
        file_backed: int = self._conf.libvirt.file_backed_memory
        return file_backed if file_backed > 0 else int(self._connection.call("getInfo")[1])

    def _numa_topology(
        self, reading: Reading, shared: frozenset[int], dedicated: frozenset[int]
    ) -> str | None:
        if not inventory.has_numa(reading.arch, reading.driver_type):
            return None
        sockets = cpu_facts.sockets(reading.capabilities)
        options = NumaOptions.from_conf(self._conf)
        topology = inventory.numa_topology(reading.facts.cells, sockets, shared, dedicated, options)
        if topology is None:
            return None
        return str(jsonutils.dumps(topology.obj_to_primitive()))

    def _overcommitted_bytes(self) -> int:
        """How much more the disks of guests could take than they have taken yet; one call for all guests."""
        try:
            figures = self._connection.statistics(Stats.BLOCK, StatsOf.NOWAIT)
        except errors.LibvirtFailed as error:
            if error.code != Failure.NO_SUPPORT:
                raise
            return 0
        root = Path(self._conf.instances_path)
        disks = [disk for _, guest in figures for disk in _local_disks(guest, root)]
        return int(offload(_missing_bytes, disks))

    def _machine_types(self) -> dict[str, str]:
        pairs = (text.partition("=") for text in self._conf.libvirt.hw_machine_type or ())
        return {arch.strip(): kind.strip() for arch, equals, kind in pairs if equals and kind.strip()}


def supported_instances(reading: Reading) -> tuple[tuple[str, str, str], ...]:
    """(architecture, hypervisor type, mode) of guests that can run here, in the words of the wire."""
    found = []
    for guest in reading.capabilities.guests:
        for domain in guest.arch.domains if guest.arch else ():
            try:
                found.append(
                    (
                        str(_WORDS[0].coerce(None, "arch", guest.arch and guest.arch.name)),
                        str(_WORDS[1].coerce(None, "hv_type", domain.type)),
                        str(_WORDS[2].coerce(None, "vm_mode", guest.os_type)),
                    )
                )
            except ValueError:
                LOG.debug("Guests of kind %s %s have no name", guest.arch, domain.type)
    return tuple(found)


_WORDS: Final[tuple[Any, Any, Any]] = (ArchitectureField(), HVTypeField(), VMModeField())


def _state(domain: Any, run_state: int | None) -> GuestState:
    """Uuid and number come with every domain that libvirt lists; nobody is asked for them."""
    if run_state is None:
        raise errors.ReadIncomplete(f"libvirt says nothing of the state of {domain.UUIDString()}")
    number = domain.ID()
    return GuestState(domain.UUIDString(), power_state(run_state), None if number < 0 else str(number))


def _local_disks(guest: Mapping[str, Any], root: Path) -> Iterable[tuple[str, int]]:
    """(path, full size) of a guest's disks among ours; volumes are elsewhere and take no place here."""
    for index in range(int(guest.get("block.count", 0))):
        path = guest.get(f"block.{index}.path")
        size = guest.get(f"block.{index}.capacity")
        if path and size is not None and Path(path).is_relative_to(root):
            yield str(path), int(size)


def _missing_bytes(disks: Iterable[tuple[str, int]]) -> int:
    total = 0
    for path, size in disks:
        try:
            total += max(0, size - os.stat(path).st_blocks * 512)
        except OSError:
            # It has just been removed, or is no longer reached: it takes nothing more.
            continue
    return total


def _check_file_backed_memory(conf: cfg.ConfigOpts) -> None:
    if not conf.libvirt.file_backed_memory:
        return
    wrong = {
        f"virt_type = {conf.libvirt.virt_type}": conf.libvirt.virt_type not in _MACHINES,
        "ram_allocation_ratio other than 1.0": conf.ram_allocation_ratio != 1.0,
        "reserved_host_memory_mb": bool(conf.reserved_host_memory_mb),
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise errors.InvalidConfiguration(f"[libvirt]file_backed_memory does not go with {what}")


def _require(what: str, version: int, oldest: int) -> None:
    if version < oldest:
        raise errors.StartRefused(f"{what} {_spelled(version)} is too old: {_spelled(oldest)} is needed")


def _spelled(version: int) -> str:
    return f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}"
