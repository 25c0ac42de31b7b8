"""Character devices: serial ports, consoles, channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.element import NUMBER, ON_OFF, Element, word


@dataclass(kw_only=True)
class _Character(Element):
    """What they share: a back end on the host and a front end in the guest."""

    type: str | None = word("@type")
    source_path: str | None = word("source/@path")
    source_mode: str | None = word("source/@mode")
    source_host: str | None = word("source/@host")
    source_service: str | None = word("source/@service")
    log_file: str | None = word("log/@file")
    log_append: bool | None = word("log/@append", ON_OFF)
    target_type: str | None = word("target/@type")
    alias: str | None = word("alias/@name")


@dataclass(kw_only=True)
class Serial(_Character):
    """A serial port."""

    TAG: ClassVar[str] = "serial"

    target_port: int | None = word("target/@port", NUMBER)


@dataclass(kw_only=True)
class Console(_Character):
    """A console of a container, a paravirtual machine or an s390 machine."""

    TAG: ClassVar[str] = "console"

    target_port: int | None = word("target/@port", NUMBER)


@dataclass(kw_only=True)
class Channel(_Character):
    """A private channel to a program in the guest: the QEMU guest agent, SPICE's."""

    TAG: ClassVar[str] = "channel"

    target_name: str | None = word("target/@name")
    target_state: str | None = word("target/@state")
