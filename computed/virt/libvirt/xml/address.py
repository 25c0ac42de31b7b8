"""Where a device sits: the address words that all devices share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.element import ON_OFF, Element, word


@dataclass(kw_only=True)
class Address(Element):
    """`type` is pci, drive, usb, ...; numbers of PCI addresses are hexadecimal text, as libvirt has them."""

    TAG: ClassVar[str] = "address"

    type: str | None = word("@type")
    controller: str | None = word("@controller")
    bus: str | None = word("@bus")
    target: str | None = word("@target")
    unit: str | None = word("@unit")
    port: str | None = word("@port")
    domain: str | None = word("@domain")
    slot: str | None = word("@slot")
    function: str | None = word("@function")
    multifunction: bool | None = word("@multifunction", ON_OFF)
    uuid: str | None = word("@uuid")
