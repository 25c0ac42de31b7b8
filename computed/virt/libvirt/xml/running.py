"""What only a running guest's XML says: how far its disks are mirrored (parse only)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.element import Element, parts, word


@dataclass(kw_only=True)
class MirroredDisk(Element):
    """A disk; `mirror_ready` is yes when its copy (to `mirror_file`) has caught up with the guest,
    abort or pivot at its end."""

    TAG: ClassVar[str] = "disk"

    target_dev: str | None = word("target/@dev")
    mirror_ready: str | None = word("mirror/@ready")
    mirror_file: str | None = word("mirror/source/@file")


@dataclass(kw_only=True)
class RunningDisks(Element):
    """The disks of a domain."""

    TAG: ClassVar[str] = "domain"

    disks: list[MirroredDisk] = parts(MirroredDisk, inside="devices")
