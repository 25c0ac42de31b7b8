"""What follows from the host's processor: the text in the compute node record, flags of guests, its cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.lib.cpu_set import parse_cpu_set
from computed.virt.libvirt.design.host_facts import HostCell, HostPages
from computed.virt.libvirt.xml.capabilities import Capabilities
from computed.virt.libvirt.xml.cpu import Cpu, CpuFeature

if TYPE_CHECKING:
    from oslo_config import cfg

# Contract: virt_driver.json; what a stock agent takes where nothing is configured.
_MODELS_WITHOUT_MODE: Final[Mapping[str, str]] = {"i686": "qemu32", "ppc64le": "POWER8", "aarch64": "max"}
_MODEL_WITHOUT_MODE: Final = "qemu64"
_NAMED_MODELS: Final = frozenset({"i686", "x86_64", "ppc64", "ppc64le", "ppc"})
"""Architectures whose CPU models libvirt knows by name."""


def cpu_info(capabilities: Capabilities, features: Iterable[str]) -> str:
    """The host's processor as JSON text, as the compute node record has it (service.json)."""
    host = capabilities.host
    cpu = (host and host.cpu) or Cpu()
    said: dict[str, Any] = {
        "arch": cpu.arch,
        "model": cpu.model,
        "vendor": cpu.vendor,
        "topology": {
            "cells": len(host.cells) if host else 1,
            "sockets": cpu.sockets,
            "cores": cpu.cores,
            "threads": cpu.threads,
        },
        "features": sorted(features),
    }
    if cpu.maxphysaddr_bits is not None:
        said["maxphysaddr"] = {"mode": cpu.maxphysaddr_mode, "bits": cpu.maxphysaddr_bits}
    return json.dumps(said)


def plain_cpu(cpu: Cpu, *, model: str | None = None) -> Cpu:
    """A processor for libvirt to expand: the host's own, or a named model on the host's architecture."""
    if model is not None:
        return Cpu(arch=cpu.arch, model=model)
    return Cpu(
        arch=cpu.arch,
        model=cpu.model,
        vendor=cpu.vendor,
        sockets=cpu.sockets,
        dies=cpu.dies,
        cores=cpu.cores,
        threads=cpu.threads,
        features=[CpuFeature(name=feature.name) for feature in cpu.features],
    )


@dataclass(frozen=True, slots=True)
class GuestCpu:
    """How guests' processors are configured: [libvirt]virt_type, cpu_mode, cpu_models,
    cpu_model_extra_flags."""

    virt_type: str
    mode: str | None = None
    models: tuple[str, ...] = ()
    extra_flags: tuple[str, ...] = ()

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> GuestCpu:
        """As configured."""
        libvirt = conf.libvirt
        flags = tuple(flag.strip().lower() for flag in libvirt.cpu_model_extra_flags)
        return cls(libvirt.virt_type, libvirt.cpu_mode, tuple(libvirt.cpu_models), flags)

    def features(
        self, arch: str, host_features: frozenset[str], expand: Callable[[str], frozenset[str]]
    ) -> frozenset[str] | None:
        """Flags that a guest may see; None when nothing can be said of them. `expand` tells those of a model.

        Contract: service.json, traits.cpu_features; a flag that is taken away is not counted here.
        """
        is_machine = self.virt_type in ("kvm", "qemu")
        mode = self.mode
        if mode is None and is_machine:
            mode = "host-passthrough" if arch == "aarch64" else "host-model"
        if not is_machine and mode in (None, "none"):
            return None
        if mode in ("host-model", "host-passthrough"):
            return self._with_flags(host_features)
        if mode in (None, "none"):
            return expand(_MODELS_WITHOUT_MODE.get(arch, _MODEL_WITHOUT_MODE))
        models = self.models or (("max",) if arch == "aarch64" else ())
        return self._with_flags(frozenset().union(*(expand(model) for model in models)))

    def _with_flags(self, features: frozenset[str]) -> frozenset[str]:
        added = {flag.removeprefix("+") for flag in self.extra_flags if not flag.startswith("-")}
        removed = {flag.removeprefix("-") for flag in self.extra_flags if flag.startswith("-")}
        return (features | added) - removed

    def check(self) -> None:
        """Raises Invalid for options that contradict each other."""
        if self.mode == "custom" and not self.models:
            raise errors.Invalid("[libvirt]cpu_mode = custom needs [libvirt]cpu_models")
        if self.mode != "custom" and self.models:
            raise errors.Invalid(
                f"[libvirt]cpu_models is set, but cpu_mode = {self.mode}: models need cpu_mode = custom"
            )


def spelled(models: Iterable[str], known: Iterable[str], arch: str) -> tuple[str, ...]:
    """CPU models as libvirt spells them; raises InvalidCPUInfo for one that it does not know."""
    if arch not in _NAMED_MODELS:
        return tuple(models)
    names = {name.lower(): name for name in known}
    missing = [model for model in models if model.lower() not in names]
    if missing:
        raise errors.InvalidCPUInfo(
            reason=f"[libvirt]cpu_models: libvirt knows no {', '.join(missing)} for {arch}"
        )
    return tuple(names[model.lower()] for model in models)


def cells(capabilities: Capabilities) -> tuple[HostCell, ...]:
    """The NUMA nodes of the host."""
    found = capabilities.host.cells if capabilities.host else []
    return tuple(
        HostCell(
            id=cell.id or 0,
            cpus=frozenset(cpu.id for cpu in cell.cpus if cpu.id is not None),
            memory_kib=cell.memory_kib or 0,
            pages=tuple(HostPages(pages.size_kib or 0, pages.total or 0) for pages in cell.pages),
            siblings=_siblings(cell.cpus),
        )
        for cell in found
    )


def sockets(capabilities: Capabilities) -> dict[int, int | None]:
    """The socket of each cell; None when its CPUs are on several."""
    found = {}
    for cell in capabilities.host.cells if capabilities.host else []:
        ids = {cpu.socket_id for cpu in cell.cpus}
        found[cell.id or 0] = ids.pop() if len(ids) == 1 else None
    return found


def has_hyperthreading(host_cells: Iterable[HostCell]) -> bool:
    """Whether some core of the host runs more than one thread."""
    return any(len(siblings) > 1 for cell in host_cells for siblings in cell.siblings)


def _siblings(cpus: Iterable[Any]) -> tuple[frozenset[int], ...]:
    found = {frozenset(parse_cpu_set(cpu.siblings)) for cpu in cpus if cpu.siblings}
    return tuple(sorted(found, key=sorted))
