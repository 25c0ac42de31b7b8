"""How the host holds a guest's memory."""

from __future__ import annotations

from typing import Final

from computed import errors
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.encryption import encryption_of
from computed.virt.libvirt.design.numa import emulator_policy, page_sizes_kib
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.libvirt.xml.memory import HugePage, MemoryBacking

_KIB: Final = "KiB"


def design_memory_backing(draft: Draft, domain: Domain) -> None:
    """Huge pages, files, locking.

    Raises MemoryPagesUnsupported, LockMemoryForbidden, FlavorImageLockedMemoryConflict,
    RealtimeMaskNotFoundOrInvalid.
    """
    backing = MemoryBacking()
    is_realtime = draft.wishes.extra_flag("hw:cpu_realtime")
    if is_realtime:
        _check_emulator(draft)
        backing.locked = True
        backing.no_shared_pages = True
    backing.huge_pages = _huge_pages(draft)
    if draft.options.file_backed_memory_mib > 0:
        backing.source_type = "file"
        backing.access_mode = "shared"
        backing.allocation_mode = "immediate"
        backing.discard = True
    if _is_locked(draft):
        backing.locked = True
    if backing != MemoryBacking():
        domain.memory_backing = backing


def _check_emulator(draft: Draft) -> None:
    if emulator_policy(draft) == "share" and not draft.options.shared_cpus:
        raise errors.RealtimeMaskNotFoundOrInvalid(
            "The flavor wants real-time CPUs and hw:emulator_threads_policy=share, but this host has no "
            "[compute]cpu_shared_set for the emulator's threads."
        )


def _huge_pages(draft: Draft) -> list[HugePage]:
    topology = draft.instance.numa_topology
    cells = [] if topology is None else list(topology.cells)
    if not any(cell.pagesize for cell in cells):
        return []
    if draft.options.file_backed_memory_mib > 0:
        raise errors.MemoryPagesUnsupported(
            "The guest wants memory pages of a chosen size (hw:mem_page_size); "
            "[libvirt]file_backed_memory excludes them."
        )
    sizes = page_sizes_kib(draft.host.cells)
    if not sizes:
        raise errors.MemoryPagesUnsupported()
    # The smallest size is what memory has anyhow, and libvirt refuses to be told of it.
    return [
        HugePage(size_kib=cell.pagesize, unit=_KIB, nodeset=str(number))
        for number, cell in enumerate(cells)
        if cell.pagesize and cell.pagesize > sizes[0]
    ]


def _is_locked(draft: Draft) -> bool:
    wishes = draft.wishes
    flavor_text, image = wishes.both("locked_memory")
    flavor = None if flavor_text is None else wishes.extra_flag("hw:locked_memory")
    if flavor is not None and image is not None and flavor != image:
        raise errors.FlavorImageLockedMemoryConflict(
            f"Extra spec hw:locked_memory is {flavor_text!r}, image property hw_locked_memory is {image}: "
            f"they contradict each other."
        )
    is_locked = image if flavor is None else flavor
    if is_locked and not any(wishes.both("mem_page_size")):
        raise errors.LockMemoryForbidden(
            "hw:locked_memory or hw_locked_memory is true without hw:mem_page_size or hw_mem_page_size."
        )
    return bool(is_locked) or (not draft.is_container and encryption_of(draft) is not None)


def design_memory_modules(draft: Draft, domain: Domain) -> None:
    """Persistent memory: its modules count towards the most memory, each takes a slot."""
    modules = draft.request.memory_modules
    if not modules:
        return
    domain.memory_modules.extend(modules)
    domain.max_memory_kib = (domain.memory_kib or 0) + sum(m.target_size_kib or 0 for m in modules)
    domain.max_memory_slots = len(modules)
