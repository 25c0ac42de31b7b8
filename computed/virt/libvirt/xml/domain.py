"""A whole guest: the domain element and all that is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.boot import IdMaps, LaunchSecurity, Os, Sysinfo
from computed.virt.libvirt.xml.cpu import Clock, Cpu, CpuTune, Features
from computed.virt.libvirt.xml.devices.board import (
    Balloon,
    Controller,
    HostDevice,
    Iommu,
    MemoryModule,
    Panic,
    Rng,
    Tpm,
    Watchdog,
)
from computed.virt.libvirt.xml.devices.character import Channel, Console, Serial, UsbRedirect
from computed.virt.libvirt.xml.devices.disk import Disk, Filesystem
from computed.virt.libvirt.xml.devices.display import Graphics, Input, Sound, Video
from computed.virt.libvirt.xml.devices.interface import Interface
from computed.virt.libvirt.xml.element import NUMBER, Element, part, parts, word
from computed.virt.libvirt.xml.memory import MemoryBacking, MemoryTune, NumaTune
from computed.virt.libvirt.xml.metadata import InstanceMetadata

_DEVICES = "devices"


@dataclass(kw_only=True)
class PerfEvent(Element):
    """A performance counter of the guest's process."""

    TAG: ClassVar[str] = "event"

    name: str | None = word("@name")
    enabled: str | None = word("@enabled")


@dataclass(kw_only=True)
class Domain(Element):
    """A guest; `type` is kvm, qemu or lxc, memory is in KiB."""

    TAG: ClassVar[str] = "domain"

    type: str | None = word("@type")
    uuid: str | None = word("uuid")
    name: str | None = word("name")
    memory_kib: int | None = word("memory", NUMBER)
    max_memory_kib: int | None = word("maxMemory", NUMBER)
    max_memory_slots: int | None = word("maxMemory/@slots", NUMBER)
    vcpus: int | None = word("vcpu", NUMBER)
    vcpu_cpuset: str | None = word("vcpu/@cpuset")
    io_threads: int | None = word("iothreads", NUMBER)
    metadata: InstanceMetadata | None = part(InstanceMetadata, inside="metadata")
    memory_backing: MemoryBacking | None = part(MemoryBacking)
    memory_tune: MemoryTune | None = part(MemoryTune)
    numa_tune: NumaTune | None = part(NumaTune)
    cpu_tune: CpuTune | None = part(CpuTune)
    resource_partition: str | None = word("resource/partition")
    sysinfo: Sysinfo | None = part(Sysinfo)
    os: Os | None = part(Os)
    id_maps: IdMaps | None = part(IdMaps)
    features: Features | None = part(Features)
    clock: Clock | None = part(Clock)
    cpu: Cpu | None = part(Cpu)
    on_poweroff: str | None = word("on_poweroff")
    on_reboot: str | None = word("on_reboot")
    on_crash: str | None = word("on_crash")
    perf_events: list[PerfEvent] = parts(PerfEvent, inside="perf")
    emulator: str | None = word("devices/emulator")
    disks: list[Disk] = parts(Disk, inside=_DEVICES)
    filesystems: list[Filesystem] = parts(Filesystem, inside=_DEVICES)
    controllers: list[Controller] = parts(Controller, inside=_DEVICES)
    interfaces: list[Interface] = parts(Interface, inside=_DEVICES)
    serials: list[Serial] = parts(Serial, inside=_DEVICES)
    consoles: list[Console] = parts(Console, inside=_DEVICES)
    channels: list[Channel] = parts(Channel, inside=_DEVICES)
    inputs: list[Input] = parts(Input, inside=_DEVICES)
    tpm: Tpm | None = part(Tpm, inside=_DEVICES)
    graphics: list[Graphics] = parts(Graphics, inside=_DEVICES)
    sounds: list[Sound] = parts(Sound, inside=_DEVICES)
    videos: list[Video] = parts(Video, inside=_DEVICES)
    host_devices: list[HostDevice] = parts(HostDevice, inside=_DEVICES)
    watchdog: Watchdog | None = part(Watchdog, inside=_DEVICES)
    balloon: Balloon | None = part(Balloon, inside=_DEVICES)
    usb_redirects: list[UsbRedirect] = parts(UsbRedirect, inside=_DEVICES)
    rngs: list[Rng] = parts(Rng, inside=_DEVICES)
    panics: list[Panic] = parts(Panic, inside=_DEVICES)
    memory_modules: list[MemoryModule] = parts(MemoryModule, inside=_DEVICES)
    iommu: Iommu | None = part(Iommu, inside=_DEVICES)
    launch_security: LaunchSecurity | None = part(LaunchSecurity)
