"""What a guest shows and is typed on: graphics, video, input, sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.address import Address
from computed.virt.libvirt.xml.element import NUMBER, ON_OFF, YES_NO, Element, part, parts, word


@dataclass(kw_only=True)
class SpiceChannel(Element):
    """How one kind of data of SPICE is sent: secure, insecure or any."""

    TAG: ClassVar[str] = "channel"

    name: str | None = word("@name")
    mode: str | None = word("@mode")


@dataclass(kw_only=True)
class Graphics(Element):
    """A server of the guest's screen: vnc or spice."""

    TAG: ClassVar[str] = "graphics"

    type: str | None = word("@type")
    port: int | None = word("@port", NUMBER)
    tls_port: int | None = word("@tlsPort", NUMBER)
    autoport: bool | None = word("@autoport", YES_NO)
    listen: str | None = word("@listen")
    keymap: str | None = word("@keymap")
    image_compression: str | None = word("image/@compression")
    jpeg_compression: str | None = word("jpeg/@compression")
    zlib_compression: str | None = word("zlib/@compression")
    playback_compression: bool | None = word("playback/@compression", ON_OFF)
    streaming_mode: str | None = word("streaming/@mode")
    channels: list[SpiceChannel] = parts(SpiceChannel)


@dataclass(kw_only=True)
class Video(Element):
    """The graphics card; memory in KiB."""

    TAG: ClassVar[str] = "video"

    model: str | None = word("model/@type")
    vram_kib: int | None = word("model/@vram", NUMBER)
    heads: int | None = word("model/@heads", NUMBER)
    iommu: bool | None = word("driver/@iommu", ON_OFF)


@dataclass(kw_only=True)
class Input(Element):
    """A keyboard, mouse or tablet."""

    TAG: ClassVar[str] = "input"

    type: str | None = word("@type")
    bus: str | None = word("@bus")
    model: str | None = word("@model")


@dataclass(kw_only=True)
class Sound(Element):
    """A sound card."""

    TAG: ClassVar[str] = "sound"

    model: str | None = word("@model")
    address: Address | None = part(Address)
