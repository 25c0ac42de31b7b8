"""Reads once what stays while libvirt runs: its versions, its capabilities, the host's processor."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from computed import errors
from computed.virt.libvirt import cpu_facts, firmware
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.cpu_facts import GuestCpu
from computed.virt.libvirt.design.host_facts import CpuFacts, CpuModel, DomainFacts, HostFacts, SevFacts
from computed.virt.libvirt.traits import DomainsByMachine
from computed.virt.libvirt.xml.capabilities import Capabilities, GuestArch
from computed.virt.libvirt.xml.cpu import Cpu
from computed.virt.libvirt.xml.domain_capabilities import DomainCapabilities, Offer
from computed.virt.libvirt.xml.element import XmlError

if TYPE_CHECKING:
    from computed.virt.libvirt.connection import Connection

LOG = logging.getLogger(__name__)

_EXPAND_FEATURES: Final = 1  # VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
_MACHINE_ID: Final = Path("/etc/machine-id")
# Contract: host_files.json, domain_choices: what a stock agent takes where neither image nor option says.
DEFAULT_MACHINES: Final[Mapping[str, str]] = {
    "armv7": "virt",
    "aarch64": "virt",
    "ppc64le": "pseries",
    "s390": "s390-ccw-virtio",
    "s390x": "s390-ccw-virtio",
    "i686": "pc",
    "x86_64": "pc",
}
# Those of libvirt's perf events that current kernels cannot count are not among them.
PERF_EVENTS: Final = frozenset(
    {
        "cpu_cycles",
        "instructions",
        "cache_references",
        "cache_misses",
        "branch_instructions",
        "branch_misses",
        "bus_cycles",
        "stalled_cycles_frontend",
        "stalled_cycles_backend",
        "ref_cpu_cycles",
        "cpu_clock",
        "task_clock",
        "page_faults",
        "context_switches",
        "cpu_migrations",
        "page_faults_min",
        "page_faults_maj",
        "alignment_faults",
        "emulation_faults",
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a host. `driver_type` is libvirt's name of the hypervisor (QEMU, LXC)."""

    hostname: str
    driver_type: str
    libvirt_version: int
    hypervisor_version: int
    capabilities: Capabilities
    domains: DomainsByMachine
    features: frozenset[str]
    """Flags of the host's processor."""
    guest_features: frozenset[str] | None
    """Flags that guests may see with the options that are set; None: nothing is known."""
    has_kvm: bool
    facts: HostFacts

    @property
    def arch(self) -> str:
        """The host's architecture."""
        return self.facts.arch


def read(connection: Connection, guest_cpu: GuestCpu, machines: Mapping[str, str]) -> Reading:
    """Ask libvirt; `machines` are the machine types of [libvirt]hw_machine_type by architecture.

    Raises HypervisorUnavailable, LibvirtFailed, InvalidCPUInfo for a configured model that is not known.
    """
    capabilities = _capabilities(connection)
    cpu = _host_cpu(capabilities)
    arch = cpu.arch or "x86_64"
    names = _model_names(connection, arch)
    if guest_cpu.virt_type in ("kvm", "qemu"):
        guest_cpu.check()
    models = dict.fromkeys(cpu_facts.spelled(guest_cpu.models, names, arch) if names else guest_cpu.models)
    expanded = {name: expand(connection, cpu_facts.plain_cpu(cpu, model=name)) for name in models}

    def of_model(name: str) -> frozenset[str]:
        if name not in expanded:
            expanded[name] = expand(connection, cpu_facts.plain_cpu(cpu, model=name))
        return expanded[name]

    features = frozenset(feature.name for feature in cpu.features if feature.name)
    if cpu.model is not None and arch != "aarch64":
        features = expand(connection, cpu_facts.plain_cpu(cpu)) or features
    configured = replace(guest_cpu, models=tuple(models))
    guest_features = configured.features(arch, features, of_model)
    domains = _domains(connection, capabilities, guest_cpu.virt_type, {**DEFAULT_MACHINES, **machines})
    versions = connection.call("getLibVersion"), connection.call("getVersion")
    facts = replace(
        _facts(capabilities, guest_cpu.virt_type, domains),
        libvirt_version=versions[0],
        qemu_version=versions[1],
        cpu=_cpu_facts(arch, cpu, features),
        cpu_models={arch: tuple(CpuModel(name, expanded.get(name)) for name in names)} if names else {},
        online_cpus=online_cpus(connection),
    )
    return Reading(
        hostname=connection.call("getHostname"),
        driver_type=connection.call("getType"),
        libvirt_version=versions[0],
        hypervisor_version=versions[1],
        capabilities=capabilities,
        domains=domains,
        features=features,
        guest_features=guest_features,
        has_kvm=_has_kvm(capabilities, arch),
        facts=facts,
    )


def _capabilities(connection: Connection) -> Capabilities:
    try:
        return Capabilities.from_xml(connection.call("getCapabilities"))
    except XmlError as error:
        raise errors.LibvirtFailed(f"libvirt's capabilities cannot be read: {error}") from error


def _cpu_facts(arch: str, cpu: Cpu, features: frozenset[str]) -> CpuFacts:
    counts = cpu.sockets or 1, cpu.cores or 1, cpu.threads or 1
    return CpuFacts(arch, cpu.model, cpu.vendor, features, *counts)


def _host_cpu(capabilities: Capabilities) -> Cpu:
    return (capabilities.host and capabilities.host.cpu) or Cpu()


def _has_kvm(capabilities: Capabilities, arch: str) -> bool:
    own = [guest.arch for guest in capabilities.guests if guest.arch and guest.arch.name == arch]
    return any(domain.type == "kvm" for each in own for domain in each.domains)


def _facts(capabilities: Capabilities, virt_type: str, domains: DomainsByMachine) -> HostFacts:
    """What follows from capabilities and from this machine's files."""
    arch = _host_cpu(capabilities).arch or "x86_64"
    architectures = [guest.arch for guest in capabilities.guests if guest.arch and guest.arch.name]
    return HostFacts(
        arch=arch,
        host_uuid=capabilities.host.uuid if capabilities.host else None,
        machine_id=_machine_id(),
        machine_types={
            each.name or "": frozenset(m.name for m in each.domain(virt_type).machines if m.name)
            for each in architectures
        },
        default_machines=DEFAULT_MACHINES,
        domains={
            (name, machine): domain_facts(found)
            for name, by_machine in domains.items()
            for machine, found in by_machine.items()
        },
        firmwares=firmware.read(),
        cells=cpu_facts.cells(capabilities),
        perf_events=PERF_EVENTS,
        has_cpu_control=_has_cpu_control(),
    )


def _has_cpu_control(root: Path = Path("/sys/fs/cgroup")) -> bool:
    """Whether the kernel can divide CPU time among guests; where nothing can be read it can."""
    try:
        return (root / "cpu").exists() or "cpu" in (root / "cgroup.controllers").read_text().split()
    except OSError:
        return True


def online_cpus(connection: Connection) -> frozenset[int]:
    """The CPUs that run."""
    count, is_online, _online = connection.call("getCPUMap")
    return frozenset(cpu for cpu in range(count) if is_online[cpu])


def expand(connection: Connection, cpu: Cpu) -> frozenset[str]:
    """All flags of a processor, with those that its model has by itself; none where libvirt cannot say."""
    try:
        text = connection.call("baselineCPU", [cpu.to_xml()], _EXPAND_FEATURES)
    except errors.LibvirtFailed as error:
        if error.code == Failure.NO_SUPPORT:
            return frozenset()
        raise
    return frozenset(feature.name for feature in Cpu.from_xml(text).features if feature.name)


def domain_facts(found: DomainCapabilities) -> DomainFacts:
    """What designers ask of a machine type."""
    modes = {mode.name: mode for mode in found.cpu_modes if mode.name}
    loader = found.os.loader if found.os else None
    secure = loader.values("secure") if loader else None
    return DomainFacts(
        machine=found.machine or "",
        firmwares=found.os.values("firmware") if found.os else None,
        supports_secure_loader=secure is None or "yes" in secure,
        cpu_modes=frozenset(name for name, mode in modes.items() if mode.supported) if modes else None,
        disk_buses=_values(found.disk, "bus"),
        graphics=_values(found.graphics, "type"),
        video_models=_values(found.video, "modelType"),
        tpm_models=_values(found.tpm, "model"),
        tpm_backends=_values(found.tpm, "backendModel"),
        tpm_versions=_values(found.tpm, "backendVersion"),
        supports_vmcoreinfo=found.vmcoreinfo is None or found.vmcoreinfo.supported is not False,
        sev=_sev(found),
    )


def supports_secure_boot(domains: DomainsByMachine, arch: str) -> bool:
    """Whether some machine type of the host's architecture can boot securely."""
    return any(
        found.os is not None
        and found.os.loader is not None
        and "yes" in (found.os.loader.values("secure") or ())
        for found in domains.get(arch, {}).values()
    )


def _values(offer: Offer | None, name: str) -> frozenset[str] | None:
    return None if offer is None else offer.values(name)


def _sev(found: DomainCapabilities) -> SevFacts | None:
    sev = found.sev
    if sev is None or not sev.supported or sev.cbitpos is None or sev.reduced_phys_bits is None:
        return None
    kinds = _values(found.launch_security, "sectype") or frozenset()
    return SevFacts(
        cbitpos=sev.cbitpos,
        reduced_phys_bits=sev.reduced_phys_bits,
        supports_es=bool(sev.max_es_guests),
        supports_snp="sev-snp" in kinds,
    )


def _domains(
    connection: Connection, capabilities: Capabilities, virt_type: str, machines: Mapping[str, str]
) -> dict[str, dict[str, DomainCapabilities]]:
    """Domain capabilities by architecture and machine type, under its canonical name and its alias.

    An architecture that this libvirt cannot run with this virt_type (another processor's under KVM, or a
    hypervisor without machine types) is left out.
    """
    found: dict[str, dict[str, DomainCapabilities]] = {}
    for guest in capabilities.guests:
        if guest.arch is None or not guest.arch.name or guest.arch.name in found:
            continue
        try:
            found[guest.arch.name] = dict(_of_arch(connection, guest.arch, virt_type, machines))
        except errors.LibvirtFailed as error:
            LOG.debug("No %s guests of architecture %s here: %s", virt_type, guest.arch.name, error)
    return found


def _of_arch(
    connection: Connection, arch: GuestArch, virt_type: str, machines: Mapping[str, str]
) -> Iterator[tuple[str, DomainCapabilities]]:
    domain = arch.domain(virt_type)
    aliases = {machine.name for machine in domain.machines if machine.canonical and machine.name}
    default = machines.get(arch.name or "")
    wanted: Iterable[str | None] = sorted(aliases | ({default} if default else set())) or [None]
    for machine in wanted:
        text = connection.call("getDomainCapabilities", domain.emulator, arch.name, machine, virt_type, 0)
        found = DomainCapabilities.from_xml(text)
        if found.machine:
            yield found.machine, found
        if machine and machine != found.machine:
            yield machine, found


def _model_names(connection: Connection, arch: str) -> tuple[str, ...]:
    try:
        return tuple(connection.call("getCPUModelNames", arch, 0))
    except errors.LibvirtFailed as error:
        LOG.debug("libvirt names no CPU models for %s: %s", arch, error)
        return ()


def _machine_id() -> str | None:
    try:
        return _MACHINE_ID.read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None
