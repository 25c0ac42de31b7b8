"""What libvirt says of the host and of the guests that it can run (parse only)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.cpu import Cpu
from computed.virt.libvirt.xml.element import NUMBER, Element, part, parts, word


@dataclass(kw_only=True)
class CellCpu(Element):
    """One CPU of the host; `siblings` as in "0,4-5". One that is offline has nothing but its number."""

    TAG: ClassVar[str] = "cpu"

    id: int | None = word("@id", NUMBER)
    socket_id: int | None = word("@socket_id", NUMBER)
    die_id: int | None = word("@die_id", NUMBER)
    core_id: int | None = word("@core_id", NUMBER)
    siblings: str | None = word("@siblings")


@dataclass(kw_only=True)
class CellPages(Element):
    """How many pages of a size a cell has."""

    TAG: ClassVar[str] = "pages"

    size_kib: int | None = word("@size", NUMBER)
    total: int | None = word(".", NUMBER)


@dataclass(kw_only=True)
class Cell(Element):
    """A NUMA node of the host; memory in KiB."""

    TAG: ClassVar[str] = "cell"

    id: int | None = word("@id", NUMBER)
    memory_kib: int | None = word("memory", NUMBER)
    pages: list[CellPages] = parts(CellPages)
    cpus: list[CellCpu] = parts(CellCpu, inside="cpus")


@dataclass(kw_only=True)
class HostCapabilities(Element):
    """The host itself."""

    TAG: ClassVar[str] = "host"

    uuid: str | None = word("uuid")
    cpu: Cpu | None = part(Cpu)
    cells: list[Cell] = parts(Cell, inside="topology/cells")


@dataclass(kw_only=True)
class Machine(Element):
    """A machine type; one with a `canonical` name is an alias of it."""

    TAG: ClassVar[str] = "machine"

    canonical: str | None = word("@canonical")
    name: str | None = word(".")


@dataclass(kw_only=True)
class GuestDomain(Element):
    """One way to run guests of an architecture: kvm, qemu, lxc; machines only where they are its own."""

    TAG: ClassVar[str] = "domain"

    type: str | None = word("@type")
    emulator: str | None = word("emulator")
    machines: list[Machine] = parts(Machine)


@dataclass(kw_only=True)
class GuestArch(Element):
    """An architecture that guests can have."""

    TAG: ClassVar[str] = "arch"

    name: str | None = word("@name")
    emulator: str | None = word("emulator")
    machines: list[Machine] = parts(Machine)
    domains: list[GuestDomain] = parts(GuestDomain)

    def domain(self, virt_type: str) -> GuestDomain:
        """How guests of this type run; what the type does not say for itself is that of the architecture."""
        own = next((domain for domain in self.domains if domain.type == virt_type), GuestDomain())
        return GuestDomain(
            type=virt_type,
            emulator=own.emulator or self.emulator,
            machines=own.machines or self.machines,
        )


@dataclass(kw_only=True)
class GuestCapabilities(Element):
    """One kind of guest."""

    TAG: ClassVar[str] = "guest"

    os_type: str | None = word("os_type")
    arch: GuestArch | None = part(GuestArch)


@dataclass(kw_only=True)
class Capabilities(Element):
    """virConnectGetCapabilities."""

    TAG: ClassVar[str] = "capabilities"

    host: HostCapabilities | None = part(HostCapabilities)
    guests: list[GuestCapabilities] = parts(GuestCapabilities)
