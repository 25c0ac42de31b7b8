"""Character devices: serial ports, consoles, channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.element import NUMBER, ON_OFF, Element, word


@dataclass(kw_only=True)
class Serial(Element):
    """A serial port; with `source_host` and `source_service` a TCP server."""

    TAG: ClassVar[str] = "serial"

    type: str | None = word("@type")
    source_path: str | None = word("source/@path")
    source_mode: str | None = word("source/@mode")
    source_host: str | None = word("source/@host")
    source_service: str | None = word("source/@service")
    log_file: str | None = word("log/@file")
    log_append: bool | None = word("log/@append", ON_OFF)
    target_type: str | None = word("target/@type")
    target_port: int | None = word("target/@port", NUMBER)
    alias: str | None = word("alias/@name")


@dataclass(kw_only=True)
class Console(Element):
    """A console of a container, a paravirtual machine or an s390 machine."""

    TAG: ClassVar[str] = "console"

    type: str | None = word("@type")
    source_path: str | None = word("source/@path")
    log_file: str | None = word("log/@file")
    log_append: bool | None = word("log/@append", ON_OFF)
    target_type: str | None = word("target/@type")
    target_port: int | None = word("target/@port", NUMBER)
    alias: str | None = word("alias/@name")


@dataclass(kw_only=True)
class Channel(Element):
    """A private channel to a program in the guest: the QEMU guest agent, SPICE's."""

    TAG: ClassVar[str] = "channel"

    type: str | None = word("@type")
    source_path: str | None = word("source/@path")
    source_mode: str | None = word("source/@mode")
    target_type: str | None = word("target/@type")
    target_name: str | None = word("target/@name")
    target_state: str | None = word("target/@state")
    alias: str | None = word("alias/@name")


@dataclass(kw_only=True)
class UsbRedirect(Element):
    """A USB port into which the user of a SPICE console plugs devices of their own."""

    TAG: ClassVar[str] = "redirdev"

    bus: str | None = word("@bus")
    type: str | None = word("@type")
