"""The processor of a guest as its instance remembers it, for the destination of a live migration."""

from __future__ import annotations

from typing import Final

from computed import objects
from computed.virt.libvirt.xml.cpu import Cpu

_MODES: Final = frozenset({"custom", "host-model", "host-passthrough"})  # the wire knows no other


def vcpu_model(cpu: Cpu | None) -> objects.VirtCPUModel | None:
    """The object that is saved with the instance; None for a guest whose processor nobody chose."""
    if cpu is None:
        return None
    topology = None
    if cpu.sockets:
        topology = objects.VirtCPUTopology(sockets=cpu.sockets, cores=cpu.cores, threads=cpu.threads)
    return objects.VirtCPUModel(
        arch=cpu.arch,
        vendor=cpu.vendor,
        model=cpu.model,
        mode=cpu.mode if cpu.mode in _MODES else None,
        match=cpu.match,
        topology=topology,
        features=[objects.VirtCPUFeature(name=each.name, policy=each.policy) for each in cpu.features],
    )
