"""The processor of a guest, and of the host in its capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.element import NUMBER, ON_OFF, PRESENT, YES_NO, Element, part, parts, word


@dataclass(kw_only=True)
class CpuFeature(Element):
    """A flag of the processor; `policy` is require, disable, forbid, ... and has no place in capabilities."""

    TAG: ClassVar[str] = "feature"

    policy: str | None = word("@policy")
    name: str | None = word("@name")


@dataclass(kw_only=True)
class NumaCell(Element):
    """One NUMA node of a guest; `cpus` as in "0-3,5"; memory in KiB."""

    TAG: ClassVar[str] = "cell"

    id: int | None = word("@id", NUMBER)
    cpus: str | None = word("@cpus")
    memory_kib: int | None = word("@memory", NUMBER)
    memory_unit: str | None = word("@unit")
    memory_access: str | None = word("@memAccess")


@dataclass(kw_only=True)
class Cpu(Element):
    """What processor the guest sees. `mode`: host-passthrough, host-model, maximum or custom."""

    TAG: ClassVar[str] = "cpu"

    mode: str | None = word("@mode")
    match: str | None = word("@match")
    check: str | None = word("@check")
    arch: str | None = word("arch")
    model: str | None = word("model")
    model_fallback: str | None = word("model/@fallback")
    vendor: str | None = word("vendor")
    sockets: int | None = word("topology/@sockets", NUMBER)
    dies: int | None = word("topology/@dies", NUMBER)
    cores: int | None = word("topology/@cores", NUMBER)
    threads: int | None = word("topology/@threads", NUMBER)
    cache_mode: str | None = word("cache/@mode")
    maxphysaddr_mode: str | None = word("maxphysaddr/@mode")
    maxphysaddr_bits: int | None = word("maxphysaddr/@bits", NUMBER)
    features: list[CpuFeature] = parts(CpuFeature)
    numa_cells: list[NumaCell] = parts(NumaCell, inside="numa")


@dataclass(kw_only=True)
class VcpuPin(Element):
    """On which host CPUs one virtual CPU may run."""

    TAG: ClassVar[str] = "vcpupin"

    vcpu: int | None = word("@vcpu", NUMBER)
    cpuset: str | None = word("@cpuset")


@dataclass(kw_only=True)
class VcpuScheduler(Element):
    """A real-time scheduler for some virtual CPUs."""

    TAG: ClassVar[str] = "vcpusched"

    vcpus: str | None = word("@vcpus")
    scheduler: str | None = word("@scheduler")
    priority: int | None = word("@priority", NUMBER)


@dataclass(kw_only=True)
class IoThreadPin(Element):
    """On which host CPUs one I/O thread may run; I/O threads count from 1."""

    TAG: ClassVar[str] = "iothreadpin"

    io_thread: int | None = word("@iothread", NUMBER)
    cpuset: str | None = word("@cpuset")


@dataclass(kw_only=True)
class CpuTune(Element):
    """How the guest's CPUs are scheduled; times in microseconds."""

    TAG: ClassVar[str] = "cputune"

    shares: int | None = word("shares", NUMBER)
    quota_us: int | None = word("quota", NUMBER)
    period_us: int | None = word("period", NUMBER)
    pins: list[VcpuPin] = parts(VcpuPin)
    emulator_cpuset: str | None = word("emulatorpin/@cpuset")
    io_thread_pins: list[IoThreadPin] = parts(IoThreadPin)
    schedulers: list[VcpuScheduler] = parts(VcpuScheduler)


@dataclass(kw_only=True)
class HyperV(Element):
    """Enlightenments for a Windows guest."""

    TAG: ClassVar[str] = "hyperv"

    relaxed: bool | None = word("relaxed/@state", ON_OFF)
    vapic: bool | None = word("vapic/@state", ON_OFF)
    spinlocks: bool | None = word("spinlocks/@state", ON_OFF)
    spinlock_retries: int | None = word("spinlocks/@retries", NUMBER)
    vpindex: bool | None = word("vpindex/@state", ON_OFF)
    runtime: bool | None = word("runtime/@state", ON_OFF)
    synic: bool | None = word("synic/@state", ON_OFF)
    stimer: bool | None = word("stimer/@state", ON_OFF)
    reset: bool | None = word("reset/@state", ON_OFF)
    vendor_id_state: bool | None = word("vendor_id/@state", ON_OFF)
    vendor_id: str | None = word("vendor_id/@value")
    frequencies: bool | None = word("frequencies/@state", ON_OFF)
    reenlightenment: bool | None = word("reenlightenment/@state", ON_OFF)
    tlbflush: bool | None = word("tlbflush/@state", ON_OFF)
    ipi: bool | None = word("ipi/@state", ON_OFF)
    evmcs: bool | None = word("evmcs/@state", ON_OFF)


@dataclass(kw_only=True)
class Features(Element):
    """What the machine can do beside its processor."""

    TAG: ClassVar[str] = "features"

    acpi: bool | None = word("acpi", PRESENT)
    apic: bool | None = word("apic", PRESENT)
    pae: bool | None = word("pae", PRESENT)
    hyperv: HyperV | None = part(HyperV)
    kvm_hidden: bool | None = word("kvm/hidden/@state", ON_OFF)
    vmcoreinfo: bool | None = word("vmcoreinfo/@state", ON_OFF)
    pmu: bool | None = word("pmu/@state", ON_OFF)
    smm: bool | None = word("smm/@state", ON_OFF)
    ioapic_driver: str | None = word("ioapic/@driver")
    tb_cache: int | None = word("tcg/tb-cache", NUMBER)
    tb_cache_unit: str | None = word("tcg/tb-cache/@unit")


@dataclass(kw_only=True)
class Timer(Element):
    """One source of time of a guest's clock."""

    TAG: ClassVar[str] = "timer"

    name: str | None = word("@name")
    tick_policy: str | None = word("@tickpolicy")
    present: bool | None = word("@present", YES_NO)


@dataclass(kw_only=True)
class Clock(Element):
    """`offset` is utc or localtime."""

    TAG: ClassVar[str] = "clock"

    offset: str | None = word("@offset")
    adjustment: str | None = word("@adjustment")
    timers: list[Timer] = parts(Timer)
