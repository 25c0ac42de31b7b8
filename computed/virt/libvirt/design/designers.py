"""The list of designers, in the order in which they work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from computed import errors
from computed.virt.libvirt.design import (
    board,
    boot,
    consoles,
    container,
    cpu,
    disks,
    encryption,
    features,
    identity,
    memory,
    numa,
    screen,
)
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.request import GuestRequest
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.libvirt.xml.element import XmlError

Designer = Callable[[Draft, Domain], None]


def design_io_threads(draft: Draft, domain: Domain) -> None:
    """One I/O thread, as every guest of the stock agent has."""
    if not draft.is_container:
        domain.io_threads = 1


def design_given(draft: Draft, domain: Domain) -> None:
    """What other rooms have made already: interfaces and shares."""
    domain.interfaces.extend(draft.request.interfaces)
    domain.filesystems.extend(draft.request.filesystems)


# A designer may read what those above it have written: pins need the I/O threads, the firmware the features,
# the USB controller the disks and inputs.
DESIGNERS: Final[tuple[Designer, ...]] = (
    identity.design_identity,
    identity.design_sysinfo,
    identity.design_metadata,
    identity.design_perf_events,
    design_io_threads,
    cpu.design_cpu,
    numa.design_cpu_quota,
    numa.design_numa,
    memory.design_memory_backing,
    memory.design_memory_modules,
    features.design_features,
    features.design_clock,
    boot.design_boot,
    encryption.design_encryption,
    container.design_id_maps,
    disks.design_disks,
    design_given,
    consoles.design_consoles,
    consoles.design_channels,
    screen.design_sound,
    screen.design_screen,
    board.design_rng,
    board.design_tpm,
    board.design_pcie_ports,
    board.design_usb,
    board.design_host_devices,
    board.design_watchdog,
    board.design_balloon,
    board.design_iommu,
)


def guest_domain(request: GuestRequest) -> Domain:
    """The whole guest as libvirt shall define it.

    Raises the error classes of the stock agent for an image property, an extra spec or an option that this
    host cannot honour; Invalid for a value that cannot be said in XML.
    """
    draft = Draft(request)
    domain = Domain()
    for design in DESIGNERS:
        design(draft, domain)
    try:
        domain.build()
    except XmlError as error:
        raise errors.Invalid(f"The guest cannot be described to libvirt: {error}") from error
    return domain
