"""Which processor a guest sees."""

from __future__ import annotations

import re
from typing import Final

from computed import errors
from computed.hardware.cpu_topology import Topology, best_topology
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.host_facts import CpuModel
from computed.virt.libvirt.design.machine import PPC, X86
from computed.virt.libvirt.design.wishes import Wishes
from computed.virt.libvirt.traits import CPU_FEATURES
from computed.virt.libvirt.xml.cpu import Cpu, CpuFeature
from computed.virt.libvirt.xml.domain import Domain

_TRAIT: Final = re.compile(r"trait[a-zA-Z0-9_-]{0,64}:")
_EMULATED: Final = {"aarch64": "cortex-a57", "ppc64le": "POWER8"}
_WITHOUT_MODELS: Final = frozenset({"mipsel"})
_MAXPHYSADDR_MODES: Final = ("passthrough", "emulate")


def design_cpu(draft: Draft, domain: Domain) -> None:
    """Mode, model, flags, topology and address width; the NUMA cells come later, into the same element.

    Raises InvalidCPUInfo, Invalid, FlavorImageConflict and the errors of hardware.cpu_topology.
    """
    if draft.is_container and draft.options.cpu.mode in (None, "none"):
        return
    machine = draft.machine
    if machine.is_foreign and machine.arch in _WITHOUT_MODELS:
        return
    cpu = Cpu(match="exact")
    mode = _mode(draft)
    if mode != "none":
        cpu.mode = mode
        cpu.model = _model(draft) if mode == "custom" else None
        cpu.features = [_feature(flag) for flag in draft.options.cpu.extra_flags]
    if machine.is_foreign:
        cpu.mode = None
        cpu.model = _EMULATED.get(machine.arch, cpu.model)
    topology = topology_of(draft.wishes, draft.instance.flavor.vcpus)
    cpu.sockets, cpu.cores, cpu.threads = topology.parts()
    _address_width(draft, cpu)
    domain.cpu = cpu


def _mode(draft: Draft) -> str:
    """[libvirt]cpu_mode, or what is usual for the architecture and possible with this QEMU."""
    asked = draft.options.cpu.mode
    possible = draft.facts.cpu_modes
    if asked is not None:
        if possible is not None and asked not in (*possible, "none") and not draft.machine.is_foreign:
            raise errors.InvalidCPUInfo(
                f"[libvirt]cpu_mode is {asked!r}; this host has {', '.join(sorted(possible))}"
            )
        return asked
    # Neither libvirt nor QEMU can tell what model an ARM processor is.
    usual = "host-passthrough" if draft.machine.arch == "aarch64" else "host-model"
    if possible is not None and usual not in possible and "maximum" in possible:
        return "maximum"
    return usual


def _model(draft: Draft) -> str | None:
    """The first of [libvirt]cpu_models that has the flags which the flavor's traits require."""
    names = [_known(name, draft) for name in draft.options.cpu.models]
    if not names:
        if draft.machine.arch == "aarch64":
            return "max"
        raise errors.InvalidCPUInfo("[libvirt]cpu_mode is 'custom', but cpu_models names none")
    flags = _required_flags(draft.wishes)
    if not flags or all(model.features is None for model in names):
        return names[0].name
    for model in names:
        if model.features is not None and flags <= model.features:
            return model.name
    raise errors.InvalidCPUInfo(
        f"None of the models {', '.join(model.name for model in names)} has all of the flags "
        f"{', '.join(sorted(flags))} that the flavor's traits require"
    )


def _required_flags(wishes: Wishes) -> frozenset[str]:
    """The flags of the traits that the flavor requires, in whatever group of resources."""
    traits = {
        _TRAIT.sub("", name)
        for name, value in wishes.extra_specs.items()
        if value == "required" and _TRAIT.match(name)
    }
    return frozenset(
        flag for flag, names in CPU_FEATURES.items() if any(f"HW_CPU_X86_{name}" in traits for name in names)
    )


def _known(name: str, draft: Draft) -> CpuModel:
    """The model as libvirt spells it; the option does not heed case."""
    arch = draft.host.arch
    models = {model.name.lower(): model for model in draft.host.cpu_models.get(arch, ())}
    if not models or (arch not in X86 and arch not in PPC):
        return models.get(name.lower(), CpuModel(name))
    if name.lower() not in models:
        raise errors.InvalidCPUInfo(f"[libvirt]cpu_models names {name!r}, which libvirt does not know")
    return models[name.lower()]


def _feature(flag: str) -> CpuFeature:
    flag = flag.lower()
    if flag.startswith("-"):
        return CpuFeature(policy="disable", name=flag.lstrip("-"))
    return CpuFeature(policy="require", name=flag.lstrip("+"))


def topology_of(wishes: Wishes, vcpus: int) -> Topology:
    """Sockets, cores and threads as `hw:cpu_*` and `hw_cpu_*` want them; raises as hardware.cpu_topology."""

    def read(prefix: str) -> tuple[Topology, Topology]:
        names = (f"{prefix}{part}" for part in ("sockets", "cores", "threads"))
        flavor, image = zip(*(wishes.both_numbers(name) for name in names), strict=True)
        return Topology(*flavor), Topology(*image)

    flavor_limit, image_limit = read("cpu_max_")
    flavor, image = read("cpu_")
    return best_topology(
        vcpus, flavor=flavor, image=image, flavor_limit=flavor_limit, image_limit=image_limit
    )


def _address_width(draft: Draft, cpu: Cpu) -> None:
    wishes = draft.wishes
    mode = wishes.one_of("maxphysaddr_mode", _MAXPHYSADDR_MODES)
    if mode is None:
        return
    possible = draft.facts.maxphysaddr_modes
    if possible is not None and mode not in possible:
        raise errors.Invalid(f"hw_maxphysaddr_mode is {mode!r}, which this host's QEMU does not have.")
    cpu.maxphysaddr_mode = mode
    flavor, image = wishes.both_numbers("maxphysaddr_bits")
    cpu.maxphysaddr_bits = flavor or image or None
