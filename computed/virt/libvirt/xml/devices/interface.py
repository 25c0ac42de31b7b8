"""Network interfaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.address import Address
from computed.virt.libvirt.xml.element import NUMBER, ON_OFF, YES_NO, Element, part, parts, word


@dataclass(kw_only=True)
class FilterParameter(Element):
    """One parameter of a network filter."""

    TAG: ClassVar[str] = "parameter"

    name: str | None = word("@name")
    value: str | None = word("@value")


@dataclass(kw_only=True)
class VirtualPort(Element):
    """The port of a switch behind the interface."""

    TAG: ClassVar[str] = "virtualport"

    type: str | None = word("@type")
    interface_id: str | None = word("parameters/@interfaceid")
    profile_id: str | None = word("parameters/@profileid")


@dataclass(kw_only=True)
class Direction(Element):
    """Limits one way: average and peak in KiB/s, burst in KiB."""

    TAG: ClassVar[str] = "inbound"

    average: int | None = word("@average", NUMBER)
    peak: int | None = word("@peak", NUMBER)
    burst: int | None = word("@burst", NUMBER)


@dataclass(kw_only=True)
class Outbound(Direction):
    """The other way."""

    TAG: ClassVar[str] = "outbound"


@dataclass(kw_only=True)
class Interface(Element):
    """`type` is bridge, ethernet, direct, hostdev, vhostuser or vdpa."""

    TAG: ClassVar[str] = "interface"

    type: str | None = word("@type")
    managed: bool | None = word("@managed", YES_NO)
    mac: str | None = word("mac/@address")
    source_bridge: str | None = word("source/@bridge")
    source_dev: str | None = word("source/@dev")
    source_mode: str | None = word("source/@mode")
    source_type: str | None = word("source/@type")
    source_path: str | None = word("source/@path")
    host_address: Address | None = part(Address, inside="source")
    vlan_tag: int | None = word("vlan/tag/@id", NUMBER)
    virtual_port: VirtualPort | None = part(VirtualPort)
    target_dev: str | None = word("target/@dev")
    target_managed: bool | None = word("target/@managed", YES_NO)
    model: str | None = word("model/@type")
    driver_name: str | None = word("driver/@name")
    queues: int | None = word("driver/@queues", NUMBER)
    rx_queue_size: int | None = word("driver/@rx_queue_size", NUMBER)
    tx_queue_size: int | None = word("driver/@tx_queue_size", NUMBER)
    packed: bool | None = word("driver/@packed", ON_OFF)
    iommu: bool | None = word("driver/@iommu", ON_OFF)
    inbound: Direction | None = part(Direction, inside="bandwidth")
    outbound: Outbound | None = part(Outbound, inside="bandwidth")
    filter: str | None = word("filterref/@filter")
    filter_parameters: list[FilterParameter] = parts(FilterParameter, inside="filterref")
    link_state: str | None = word("link/@state")
    mtu: int | None = word("mtu/@size", NUMBER)
    alias: str | None = word("alias/@name")
    address: Address | None = part(Address)
