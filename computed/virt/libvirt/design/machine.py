"""Which machine a guest is: its architecture and machine type, and what follows from them alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from computed import errors
from computed.virt.libvirt.design.host_facts import DomainFacts, HostFacts
from computed.virt.libvirt.design.options import DesignOptions
from computed.virt.libvirt.design.wishes import Wishes

X86: Final = frozenset({"i686", "x86_64"})
PPC: Final = frozenset({"ppc", "ppc64", "ppc64le"})
S390: Final = frozenset({"s390", "s390x"})
# contract host_files.json, domain_choices.machine_type.arch_default
_DEFAULT_MACHINES: Final[Mapping[str, str]] = {
    "aarch64": "virt",
    "armv7l": "virt",
    "i686": "pc",
    "ppc64le": "pseries",
    "s390": "s390-ccw-virtio",
    "s390x": "s390-ccw-virtio",
    "x86_64": "pc",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """`arch` in libvirt's spelling; `type` is None for an architecture without a default (and for lxc)."""

    arch: str
    type: str | None
    is_foreign: bool = False

    @property
    def is_x86(self) -> bool:
        """A PC of 32 or 64 bits."""
        return self.arch in X86

    @property
    def is_q35(self) -> bool:
        """A PC with PCI Express."""
        return "q35" in (self.type or "")

    @property
    def has_pcie(self) -> bool:
        """Whether it can have PCI Express root ports."""
        if self.arch == "aarch64":
            return (self.type or "").startswith("virt")
        return self.arch == "x86_64" and self.is_q35

    @property
    def cdrom_bus(self) -> str:
        """Where its disc drive is (host_files.json, domain_choices.cdrom_bus)."""
        if self.arch in PPC or self.arch in S390 or self.arch == "aarch64":
            return "scsi"
        return "sata" if self.is_q35 else "ide"


def machine_of(wishes: Wishes, host: HostFacts, options: DesignOptions) -> Machine:
    """The machine of a guest: as its image says, as [libvirt]hw_machine_type says, as is usual.

    Raises InvalidMachineType for one that this host's QEMU does not know.
    """
    own = wishes.prop("hw_architecture") or host.arch
    arch = wishes.prop("hw_emulation_architecture") or own
    if options.virt_type == "lxc":
        return Machine(arch, None, is_foreign=arch != host.arch)
    kind = wishes.prop("hw_machine_type") or dict(options.machine_types).get(own)
    kind = kind or _DEFAULT_MACHINES.get(own) or host.default_machines.get(own)
    known: frozenset[str] = frozenset().union(*host.machine_types.values())
    if known and kind not in known:
        image_id = getattr(wishes.image_meta, "id", None) if wishes.image_meta is not None else None
        raise errors.InvalidMachineType(
            mtype=kind,
            image_name=wishes.image_name,
            image_id=image_id,
            reason=f"the machine types of this host are {', '.join(sorted(known))}",
        )
    return Machine(arch, kind, is_foreign=arch != host.arch)


def domain_facts(machine: Machine, host: HostFacts) -> DomainFacts:
    """What QEMU can do for the machine; a versioned type (pc-q35-7.2) can what its family can."""
    kind = machine.type or ""
    for name in (kind, *_families(kind)):
        if (machine.arch, name) in host.domains:
            return host.domains[machine.arch, name]
    return DomainFacts(machine=kind)


def _families(kind: str) -> tuple[str, ...]:
    if kind.startswith("pc-q35"):
        return ("q35",)
    if kind.startswith("pc-i440fx"):
        return ("pc",)
    return (kind.rpartition("-")[0],) if "-" in kind else ()


def machine_for(image_meta: Any, host: HostFacts, options: DesignOptions) -> Machine:
    """The machine of an image, for those who plan its disks or record its type. Raises InvalidMachineType."""
    return machine_of(Wishes("", {}, image_meta), host, options)
