"""What sits on the board: controllers, random numbers, TPM, watchdog, balloon, IOMMU, memory modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.address import Address
from computed.virt.libvirt.xml.element import NUMBER, ON_OFF, PRESENT, YES_NO, Element, part, word


@dataclass(kw_only=True)
class Controller(Element):
    """Of USB, SCSI, PCI, virtio-serial, ..."""

    TAG: ClassVar[str] = "controller"

    type: str | None = word("@type")
    index: int | None = word("@index", NUMBER)
    model: str | None = word("@model")
    queues: int | None = word("driver/@queues", NUMBER)
    iommu: bool | None = word("driver/@iommu", ON_OFF)
    address: Address | None = part(Address)


@dataclass(kw_only=True)
class Rng(Element):
    """A source of random numbers; at most `rate_bytes` in `rate_period_ms`."""

    TAG: ClassVar[str] = "rng"

    model: str | None = word("@model")
    iommu: bool | None = word("driver/@iommu", ON_OFF)
    rate_bytes: int | None = word("rate/@bytes", NUMBER)
    rate_period_ms: int | None = word("rate/@period", NUMBER)
    backend_model: str | None = word("backend/@model")
    backend: str | None = word("backend")


@dataclass(kw_only=True)
class Tpm(Element):
    """A trusted platform module, emulated by swtpm."""

    TAG: ClassVar[str] = "tpm"

    model: str | None = word("@model")
    backend_type: str | None = word("backend/@type")
    backend_version: str | None = word("backend/@version")
    secret_uuid: str | None = word("backend/encryption/@secret")


@dataclass(kw_only=True)
class Watchdog(Element):
    """Does `action` when the guest does not report for a while."""

    TAG: ClassVar[str] = "watchdog"

    model: str | None = word("@model")
    action: str | None = word("@action")


@dataclass(kw_only=True)
class Balloon(Element):
    """Takes memory from the guest and tells how much it uses."""

    TAG: ClassVar[str] = "memballoon"

    model: str | None = word("@model")
    autodeflate: bool | None = word("@autodeflate", ON_OFF)
    free_page_reporting: bool | None = word("@freePageReporting", ON_OFF)
    iommu: bool | None = word("driver/@iommu", ON_OFF)
    stats_period_seconds: int | None = word("stats/@period", NUMBER)


@dataclass(kw_only=True)
class Iommu(Element):
    """A virtual IOMMU."""

    TAG: ClassVar[str] = "iommu"

    model: str | None = word("@model")
    interrupt_remapping: bool | None = word("driver/@intremap", ON_OFF)
    caching_mode: bool | None = word("driver/@caching_mode", ON_OFF)
    eim: bool | None = word("driver/@eim", ON_OFF)
    iotlb: bool | None = word("driver/@iotlb", ON_OFF)
    aw_bits: int | None = word("driver/@aw_bits", NUMBER)


@dataclass(kw_only=True)
class MemoryModule(Element):
    """A module of persistent memory; sizes in KiB."""

    TAG: ClassVar[str] = "memory"

    model: str | None = word("@model")
    access: str | None = word("@access")
    source_path: str | None = word("source/path")
    source_align_kib: int | None = word("source/alignsize", NUMBER)
    source_is_pmem: bool | None = word("source/pmem", PRESENT)
    target_size_kib: int | None = word("target/size", NUMBER)
    target_node: int | None = word("target/node", NUMBER)
    target_label_kib: int | None = word("target/label/size", NUMBER)


@dataclass(kw_only=True)
class HostDevice(Element):
    """A device of the host given to the guest: a PCI function (with its address) or a mediated device."""

    TAG: ClassVar[str] = "hostdev"

    mode: str | None = word("@mode")
    type: str | None = word("@type")
    managed: bool | None = word("@managed", YES_NO)
    model: str | None = word("@model")
    display: bool | None = word("@display", ON_OFF)
    driver_name: str | None = word("driver/@name")
    source: Address | None = part(Address, inside="source")
    alias: str | None = word("alias/@name")


@dataclass(kw_only=True)
class Panic(Element):
    """Tells the host that the guest's kernel panicked."""

    TAG: ClassVar[str] = "panic"

    model: str | None = word("@model")
