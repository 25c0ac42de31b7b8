"""What is known of the host when a guest is designed: frozen facts that the host room reads from libvirt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CpuFacts:
    """The host's own processor, as the `cpu` element of the capabilities has it."""

    arch: str = "x86_64"
    model: str | None = None
    vendor: str | None = None
    features: frozenset[str] = frozenset()
    sockets: int = 1
    cores: int = 1
    threads: int = 1


@dataclass(frozen=True, slots=True)
class CpuModel:
    """One named CPU model of libvirt's list for an architecture, worst first in HostFacts.cpu_models.

    `features` are those that the model has by itself; None when libvirt was not asked.
    """

    name: str
    features: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class HostPages:
    """Pages of one size in one cell of the host; `total` counts pages."""

    size_kib: int
    total: int


@dataclass(frozen=True, slots=True)
class HostCell:
    """One NUMA node of the host; `siblings` are the sets of CPUs that share a core."""

    id: int
    cpus: frozenset[int]
    memory_kib: int = 0
    pages: tuple[HostPages, ...] = ()
    siblings: tuple[frozenset[int], ...] = ()


@dataclass(frozen=True, slots=True)
class Firmware:
    """One firmware descriptor (/usr/share/qemu/firmware/*.json, and those in /etc that go before them).

    `targets` are pairs of architecture and machine pattern (`pc-q35-*`); `features` are its words
    (`secure-boot`, `enrolled-keys`, `requires-smm`, `amd-sev`...). `is_stateless` is its mode "stateless"
    or a firmware without NVRAM.
    """

    executable: str
    nvram_template: str | None = None
    executable_format: str = "raw"
    nvram_format: str = "raw"
    interface_types: frozenset[str] = frozenset({"uefi"})
    targets: tuple[tuple[str, str], ...] = ()
    features: frozenset[str] = frozenset()
    is_stateless: bool = False


@dataclass(frozen=True, slots=True)
class SevFacts:
    """Memory encryption of AMD processors, as the domain capabilities tell it."""

    cbitpos: int
    reduced_phys_bits: int
    supports_es: bool = False
    supports_snp: bool = False


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What QEMU can do for one architecture and machine type (domain capabilities).

    Sets are the values of libvirt's enumerations; None means that libvirt does not say, and is taken as yes.
    """

    machine: str = ""
    firmwares: frozenset[str] | None = None  # bios, efi
    supports_secure_loader: bool = True
    cpu_modes: frozenset[str] | None = None  # host-passthrough, host-model, custom, maximum
    maxphysaddr_modes: frozenset[str] | None = None
    disk_buses: frozenset[str] | None = None
    graphics: frozenset[str] | None = None  # vnc, spice
    video_models: frozenset[str] | None = None
    tpm_models: frozenset[str] | None = None  # tpm-tis, tpm-crb
    tpm_backends: frozenset[str] | None = None  # emulator
    tpm_versions: frozenset[str] | None = None
    supports_vmcoreinfo: bool = True
    sev: SevFacts | None = None


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Everything that designers ask of the host.

    `arch` is the host's architecture in libvirt's spelling (x86_64, aarch64...). Versions are numbers as
    libvirt has them (9.0.0 is 9000000). `machine_types` and `default_machines` go by architecture, `domains`
    by architecture and machine type, where a family (q35, pc, virt) speaks for its versions. `cpu_models` go
    by architecture, worst first. `host_uuid` is that of the capabilities, `machine_id` the text of
    /etc/machine-id or None; `perf_events` are those that the host can count, None when nobody knows.
    """

    arch: str = "x86_64"
    libvirt_version: int = 9_000_000
    qemu_version: int = 7_002_000
    host_uuid: str | None = None
    machine_id: str | None = None
    cpu: CpuFacts = field(default_factory=CpuFacts)
    cpu_models: Mapping[str, tuple[CpuModel, ...]] = field(default_factory=dict)
    machine_types: Mapping[str, frozenset[str]] = field(default_factory=dict)
    default_machines: Mapping[str, str] = field(default_factory=dict)
    domains: Mapping[tuple[str, str], DomainFacts] = field(default_factory=dict)
    firmwares: tuple[Firmware, ...] = ()
    cells: tuple[HostCell, ...] = ()
    online_cpus: frozenset[int] = frozenset()
    perf_events: frozenset[str] | None = None
    has_cpu_control: bool = True  # the kernel can limit CPU time (cgroups)
