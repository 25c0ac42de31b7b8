"""What a guest is designed from: what was ordered, what the host has, what is configured, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from computed.virt.libvirt.design.host_facts import (
    CpuFacts,
    CpuModel,
    DomainFacts,
    Firmware,
    HostCell,
    HostFacts,
    HostPages,
    SevFacts,
)
from computed.virt.libvirt.design.options import CpuOptions, DesignOptions, SpiceOptions
from computed.virt.libvirt.storage.paths import InstancePaths
from computed.virt.libvirt.storage.plan import DiskPlan
from computed.virt.libvirt.xml.devices.board import HostDevice, MemoryModule
from computed.virt.libvirt.xml.devices.disk import Disk, Filesystem
from computed.virt.libvirt.xml.devices.interface import Interface
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.specs import GuestSpec

__all__ = [
    "CpuFacts",
    "CpuModel",
    "CpuOptions",
    "DesignOptions",
    "DirectBoot",
    "DomainFacts",
    "Firmware",
    "GuestRequest",
    "HostCell",
    "HostFacts",
    "HostPages",
    "SevFacts",
    "SpiceOptions",
]


@dataclass(frozen=True, slots=True)
class DirectBoot:
    """A kernel (and a RAM disk) that QEMU starts itself: kernel_id and ramdisk_id of an image or a rescue."""

    kernel: Path
    initrd: Path | None = None


@dataclass(frozen=True, slots=True)
class GuestRequest:
    """Everything that designers may look at; nothing is read from anywhere else.

    `disks` are in the order of storage.plan; the config drive is among them or in `config_drive`. `volumes`
    gives what a volume's connection made of its disk (type, source, auth, driver) by volume id. `interfaces`
    are those of the network room and are taken as they are, as are `host_devices`, `memory_modules` and
    `filesystems` (shares). `serial_ports` are TCP ports given out for the
    serial console, one for each port. `old` is the guest as it is defined already: it keeps its firmware and
    the ports of its serial console; give none whose loader file is gone. `created_at` is
    when this definition was made, `%Y-%m-%d %H:%M:%S` in UTC.
    """

    spec: GuestSpec
    host: HostFacts
    options: DesignOptions
    paths: InstancePaths
    disks: tuple[DiskPlan, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    config_drive: DiskPlan | None = None
    console_log: Path | None = None
    volumes: tuple[tuple[str, Disk], ...] = field(default=(), repr=False)
    host_devices: tuple[HostDevice, ...] = ()
    memory_modules: tuple[MemoryModule, ...] = ()
    filesystems: tuple[Filesystem, ...] = ()
    serial_ports: tuple[int, ...] = ()
    created_at: str = ""
    package_version: str = "34.0.0"
    direct_boot: DirectBoot | None = None
    old: Domain | None = field(default=None, repr=False)

    @property
    def virt_type(self) -> str:
        """kvm, qemu or lxc."""
        return self.options.virt_type

    @property
    def all_disks(self) -> tuple[DiskPlan, ...]:
        """The disks with the config drive, once."""
        drive = self.config_drive
        if drive is None or any(disk.kind == "config_drive" for disk in self.disks):
            return self.disks
        return (*self.disks, drive)

    @property
    def log_file(self) -> Path:
        """Where virtlogd writes what the guest prints."""
        return self.console_log or self.paths.console_log
