"""How a guest begins: operating system type, firmware, boot order, and what the machine says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.element import YES_NO, Element, parts, word, words


@dataclass(kw_only=True)
class FirmwareFeature(Element):
    """What firmware that libvirt chooses must have or must not have."""

    TAG: ClassVar[str] = "feature"

    enabled: bool | None = word("@enabled", YES_NO)
    name: str | None = word("@name")


@dataclass(kw_only=True)
class InitVariable(Element):
    """A variable in the environment of a container's init."""

    TAG: ClassVar[str] = "initenv"

    name: str | None = word("@name")
    value: str | None = word(".")


@dataclass(kw_only=True)
class Os(Element):
    """`type` is hvm or exe (a container); loader and NVRAM are those of UEFI firmware."""

    TAG: ClassVar[str] = "os"

    firmware: str | None = word("@firmware")
    type: str | None = word("type")
    arch: str | None = word("type/@arch")
    machine: str | None = word("type/@machine")
    firmware_features: list[FirmwareFeature] = parts(FirmwareFeature, inside="firmware")
    loader: str | None = word("loader")
    loader_readonly: bool | None = word("loader/@readonly", YES_NO)
    loader_type: str | None = word("loader/@type")
    loader_secure: bool | None = word("loader/@secure", YES_NO)
    loader_stateless: bool | None = word("loader/@stateless", YES_NO)
    nvram: str | None = word("nvram")
    nvram_template: str | None = word("nvram/@template")
    kernel: str | None = word("kernel")
    initrd: str | None = word("initrd")
    cmdline: str | None = word("cmdline")
    init: str | None = word("init")
    init_arguments: list[str] = words("initarg")
    init_variables: list[InitVariable] = parts(InitVariable)
    boot_devices: list[str] = words("boot/@dev")
    boot_menu: bool | None = word("bootmenu/@enable", YES_NO)
    smbios_mode: str | None = word("smbios/@mode")


@dataclass(kw_only=True)
class SysinfoEntry(Element):
    """One line of a table of SMBIOS."""

    TAG: ClassVar[str] = "entry"

    name: str | None = word("@name")
    value: str | None = word(".")


@dataclass(kw_only=True)
class Sysinfo(Element):
    """What the guest finds in its SMBIOS tables."""

    TAG: ClassVar[str] = "sysinfo"

    type: str | None = word("@type")
    bios: list[SysinfoEntry] = parts(SysinfoEntry, inside="bios")
    system: list[SysinfoEntry] = parts(SysinfoEntry, inside="system")


@dataclass(kw_only=True)
class LaunchSecurity(Element):
    """Encrypted memory (SEV); numbers are text as libvirt takes them."""

    TAG: ClassVar[str] = "launchSecurity"

    type: str | None = word("@type")
    cbitpos: str | None = word("cbitpos")
    reduced_phys_bits: str | None = word("reducedPhysBits")
    policy: str | None = word("policy")


@dataclass(kw_only=True)
class IdMap(Element):
    """A range of user ids inside a container and outside."""

    TAG: ClassVar[str] = "uid"

    start: str | None = word("@start")
    target: str | None = word("@target")
    count: str | None = word("@count")


@dataclass(kw_only=True)
class GroupIdMap(IdMap):
    """The same of group ids."""

    TAG: ClassVar[str] = "gid"


@dataclass(kw_only=True)
class IdMaps(Element):
    """The user namespace of a container."""

    TAG: ClassVar[str] = "idmap"

    users: list[IdMap] = parts(IdMap)
    groups: list[GroupIdMap] = parts(GroupIdMap)
