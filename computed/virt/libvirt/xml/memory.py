"""The memory of a guest: what backs it, on which host nodes it lies, what it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.element import NUMBER, PRESENT, Element, parts, word


@dataclass(kw_only=True)
class HugePage(Element):
    """Pages of one size for some nodes of the guest."""

    TAG: ClassVar[str] = "page"

    size_kib: int | None = word("@size", NUMBER)
    unit: str | None = word("@unit")
    nodeset: str | None = word("@nodeset")


@dataclass(kw_only=True)
class MemoryBacking(Element):
    """How the host holds the guest's memory."""

    TAG: ClassVar[str] = "memoryBacking"

    huge_pages: list[HugePage] = parts(HugePage, inside="hugepages")
    no_shared_pages: bool | None = word("nosharepages", PRESENT)
    locked: bool | None = word("locked", PRESENT)
    source_type: str | None = word("source/@type")
    access_mode: str | None = word("access/@mode")
    allocation_mode: str | None = word("allocation/@mode")
    discard: bool | None = word("discard", PRESENT)


@dataclass(kw_only=True)
class MemoryNode(Element):
    """On which host nodes the memory of one node of the guest lies."""

    TAG: ClassVar[str] = "memnode"

    cell_id: int | None = word("@cellid", NUMBER)
    mode: str | None = word("@mode")
    nodeset: str | None = word("@nodeset")


@dataclass(kw_only=True)
class NumaTune(Element):
    """On which host nodes the guest's memory lies."""

    TAG: ClassVar[str] = "numatune"

    mode: str | None = word("memory/@mode")
    nodeset: str | None = word("memory/@nodeset")
    nodes: list[MemoryNode] = parts(MemoryNode)


@dataclass(kw_only=True)
class MemoryTune(Element):
    """Limits of the memory that the guest's process may use, in KiB."""

    TAG: ClassVar[str] = "memtune"

    hard_limit_kib: int | None = word("hard_limit", NUMBER)
    hard_limit_unit: str | None = word("hard_limit/@unit")
    soft_limit_kib: int | None = word("soft_limit", NUMBER)
    soft_limit_unit: str | None = word("soft_limit/@unit")
    swap_hard_limit_kib: int | None = word("swap_hard_limit", NUMBER)
    swap_hard_limit_unit: str | None = word("swap_hard_limit/@unit")
