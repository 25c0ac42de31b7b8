"""Disks, and the file systems of containers and shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.address import Address
from computed.virt.libvirt.xml.element import NUMBER, ON_OFF, PRESENT, YES_NO, Element, part, parts, word


@dataclass(kw_only=True)
class SourceHost(Element):
    """A server of a network disk."""

    TAG: ClassVar[str] = "host"

    name: str | None = word("@name")
    port: str | None = word("@port")
    transport: str | None = word("@transport")
    socket: str | None = word("@socket")


@dataclass(kw_only=True)
class Encryption(Element):
    """LUKS, opened by QEMU with a secret of libvirt."""

    TAG: ClassVar[str] = "encryption"

    format: str | None = word("@format")
    secret_type: str | None = word("secret/@type")
    secret_uuid: str | None = word("secret/@uuid")


@dataclass(kw_only=True)
class Auth(Element):
    """Who logs in to a network disk."""

    TAG: ClassVar[str] = "auth"

    username: str | None = word("@username")
    secret_type: str | None = word("secret/@type")
    secret_uuid: str | None = word("secret/@uuid")


@dataclass(kw_only=True)
class Limits(Element):
    """What a disk may do at most, in bytes and operations a second."""

    TAG: ClassVar[str] = "iotune"

    total_bytes_sec: int | None = word("total_bytes_sec", NUMBER)
    read_bytes_sec: int | None = word("read_bytes_sec", NUMBER)
    write_bytes_sec: int | None = word("write_bytes_sec", NUMBER)
    total_iops_sec: int | None = word("total_iops_sec", NUMBER)
    read_iops_sec: int | None = word("read_iops_sec", NUMBER)
    write_iops_sec: int | None = word("write_iops_sec", NUMBER)
    total_bytes_sec_max: int | None = word("total_bytes_sec_max", NUMBER)
    read_bytes_sec_max: int | None = word("read_bytes_sec_max", NUMBER)
    write_bytes_sec_max: int | None = word("write_bytes_sec_max", NUMBER)
    total_iops_sec_max: int | None = word("total_iops_sec_max", NUMBER)
    read_iops_sec_max: int | None = word("read_iops_sec_max", NUMBER)
    write_iops_sec_max: int | None = word("write_iops_sec_max", NUMBER)
    size_iops_sec: int | None = word("size_iops_sec", NUMBER)


@dataclass(kw_only=True)
class Source(Element):
    """Where the bytes of a disk are: a file, a block device, or a name on a network protocol."""

    TAG: ClassVar[str] = "source"

    file: str | None = word("@file")
    dev: str | None = word("@dev")
    protocol: str | None = word("@protocol")
    name: str | None = word("@name")
    hosts: list[SourceHost] = parts(SourceHost)
    reservations_managed: bool | None = word("reservations/@managed", YES_NO)


@dataclass(kw_only=True)
class Disk(Element):
    """`device` is disk, cdrom, floppy or lun; `type` is file, block or network."""

    TAG: ClassVar[str] = "disk"

    type: str | None = word("@type")
    device: str | None = word("@device")
    snapshot: str | None = word("@snapshot")
    driver_name: str | None = word("driver/@name")
    driver_type: str | None = word("driver/@type")
    cache: str | None = word("driver/@cache")
    io: str | None = word("driver/@io")
    discard: str | None = word("driver/@discard")
    iommu: bool | None = word("driver/@iommu", ON_OFF)
    iothread: int | None = word("driver/@iothread", NUMBER)
    auth: Auth | None = part(Auth)
    source: Source | None = part(Source)
    target_dev: str | None = word("target/@dev")
    target_bus: str | None = word("target/@bus")
    limits: Limits | None = part(Limits)
    readonly: bool | None = word("readonly", PRESENT)
    shareable: bool | None = word("shareable", PRESENT)
    serial: str | None = word("serial")
    boot_order: int | None = word("boot/@order", NUMBER)
    encryption: Encryption | None = part(Encryption)
    alias: str | None = word("alias/@name")
    logical_block_size: int | None = word("blockio/@logical_block_size", NUMBER)
    physical_block_size: int | None = word("blockio/@physical_block_size", NUMBER)
    address: Address | None = part(Address)


@dataclass(kw_only=True)
class Filesystem(Element):
    """A directory of the host in the guest: the root of a container, or a share."""

    TAG: ClassVar[str] = "filesystem"

    type: str | None = word("@type")
    access_mode: str | None = word("@accessmode")
    driver_type: str | None = word("driver/@type")
    driver_format: str | None = word("driver/@format")
    source_dir: str | None = word("source/@dir")
    source_file: str | None = word("source/@file")
    target_dir: str | None = word("target/@dir")
