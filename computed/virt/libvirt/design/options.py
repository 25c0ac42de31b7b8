"""The options that decide what a guest is, read once from the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from computed.lib.cpu_set import parse_cpu_set


@dataclass(frozen=True, slots=True)
class SpiceOptions:
    """Section [spice]."""

    is_enabled: bool = False
    has_agent: bool = True
    listen: str = "127.0.0.1"
    require_secure: bool = False
    image_compression: str | None = None
    jpeg_compression: str | None = None
    zlib_compression: str | None = None
    playback_compression: bool | None = None
    streaming_mode: str | None = None


@dataclass(frozen=True, slots=True)
class CpuOptions:
    """The [libvirt]cpu_* options; `extra_flags` as written (`+vmx`, `-pdpe1gb`, `pcid`)."""

    mode: str | None = None
    models: tuple[str, ...] = ()
    extra_flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DesignOptions:
    """Every option that a designer asks for; see `from_conf` for where each comes from.

    `machine_types` are pairs of architecture and machine type; `shared_cpus` is None when not set; `uid_maps`
    and `gid_maps` are texts GUEST:HOST:COUNT.
    """

    virt_type: str = "kvm"
    cpu: CpuOptions = CpuOptions()
    machine_types: tuple[tuple[str, str], ...] = ()
    perf_events: tuple[str, ...] = ()
    file_backed_memory_mib: int = 0
    uid_maps: tuple[str, ...] = ()
    gid_maps: tuple[str, ...] = ()
    disk_discard: str | None = None
    balloon_period_seconds: int = 10
    pcie_ports: int = 0
    realtime_priority: int = 1
    rng_device: str = "/dev/urandom"
    sysinfo_serial: str = "unique"
    swtpm_enabled: bool = False
    translation_cache_mib: int | None = None
    preallocates_images: bool = False
    pointer_model: str | None = "usbtablet"
    apic_disabled: bool = False
    vnc_enabled: bool = True
    vnc_listen: str = "127.0.0.1"
    spice: SpiceOptions = SpiceOptions()
    serial_console_enabled: bool = False
    serial_console_listen: str = "127.0.0.1"
    shared_cpus: frozenset[int] | None = None

    @classmethod
    def from_conf(cls, conf: Any) -> DesignOptions:
        """Read them; raises ValueError for a set of CPUs that is none."""
        libvirt = conf.libvirt
        return cls(
            virt_type=libvirt.virt_type,
            cpu=CpuOptions(
                mode=libvirt.cpu_mode,
                models=tuple(libvirt.cpu_models),
                extra_flags=tuple(libvirt.cpu_model_extra_flags),
            ),
            machine_types=_pairs(libvirt.hw_machine_type or ()),
            perf_events=tuple(libvirt.enabled_perf_events),
            file_backed_memory_mib=libvirt.file_backed_memory,
            uid_maps=tuple(libvirt.uid_maps),
            gid_maps=tuple(libvirt.gid_maps),
            disk_discard=libvirt.hw_disk_discard,
            balloon_period_seconds=libvirt.mem_stats_period_seconds,
            pcie_ports=libvirt.num_pcie_ports,
            realtime_priority=libvirt.realtime_scheduler_priority,
            rng_device=libvirt.rng_dev_path,
            sysinfo_serial=libvirt.sysinfo_serial,
            swtpm_enabled=libvirt.swtpm_enabled,
            translation_cache_mib=libvirt.tb_cache_size,
            preallocates_images=conf.preallocate_images != "none",
            pointer_model=conf.pointer_model,
            apic_disabled=conf.workarounds.libvirt_disable_apic,
            vnc_enabled=conf.vnc.enabled,
            vnc_listen=str(conf.vnc.server_listen),
            spice=_spice(conf.spice),
            serial_console_enabled=conf.serial_console.enabled,
            serial_console_listen=conf.serial_console.proxyclient_address,
            shared_cpus=_cpus(conf.compute.cpu_shared_set),
        )


def _spice(group: Any) -> SpiceOptions:
    return SpiceOptions(
        is_enabled=group.enabled,
        has_agent=group.agent_enabled,
        listen=group.server_listen,
        require_secure=group.require_secure,
        image_compression=group.image_compression,
        jpeg_compression=group.jpeg_compression,
        zlib_compression=group.zlib_compression,
        playback_compression=group.playback_compression,
        streaming_mode=group.streaming_mode,
    )


def _pairs(texts: Any) -> tuple[tuple[str, str], ...]:
    """ARCH=TYPE texts; what has no `=` is left out, as the stock agent leaves it out with a warning."""
    return tuple(
        (arch.strip(), kind.strip()) for arch, equals, kind in (t.partition("=") for t in texts) if equals
    )


def _cpus(text: str | None) -> frozenset[int] | None:
    return None if text is None else frozenset(parse_cpu_set(text))
