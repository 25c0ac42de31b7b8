"""What a guest is made of, as frozen data that a driver turns into a running machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """One disk of a guest.

    `source` is image, blank, swap or volume; `size_gib` is None when the source decides, a swap disk has
    `swap_mib` instead; `device_name` is what the guest is told (`/dev/sda`); `boot_index` 0 is the root
    disk, None never boots.
    """

    source: str
    device_name: str | None
    size_gib: int | None
    swap_mib: int | None = None
    boot_index: int | None = None
    guest_format: str | None = None
    disk_bus: str | None = None
    device_type: str = "disk"
    image_id: str | None = None
    volume_id: str | None = None
    tag: str | None = None
    connection_info: Mapping[str, Any] | None = field(default=None, repr=False)
    encryption: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """Everything a driver needs to make a guest; secrets never show in its repr.

    `wait_for_plugs`, when there is one, returns once the network has plugged the guest's ports, or raises
    what the driver is to fail with; a driver that can hold a guest still calls it before the guest runs.
    With `is_new` a driver refuses to make it of local disks that are there: they were to be removed.
    `while_idle` is entered while the driver waits for what somebody else fetches.
    """

    instance: Any  # objects.Instance
    image_meta: Any  # objects.ImageMeta
    network_info: Any  # objects.network_model.NetworkInfo
    disks: tuple[DiskSpec, ...] = ()
    allocations: Mapping[str, Any] = field(default_factory=dict)
    injected_files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    admin_password: str | None = field(default=None, repr=False)
    power_on: bool = True
    is_new: bool = False
    shares: tuple[Any, ...] = ()  # objects.ShareMapping, mounted on the host
    accelerators: tuple[Mapping[str, Any], ...] = ()  # accelerator requests as cyborg tells them, bound
    wait_for_plugs: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    while_idle: Callable[[], AbstractContextManager[Any]] = field(
        default=nullcontext, repr=False, compare=False
    )


@dataclass(frozen=True, slots=True)
class RescueSpec:
    """How a guest is rescued.

    `image_meta` is the rescue image; its disk is attached as `device_type` (disk, cdrom, floppy) on
    `disk_bus` (None: the driver chooses). With `is_stable` the guest's own devices stay as they are and the
    rescue disk comes last, else it takes the place of the root disk.
    """

    guest: GuestSpec
    image_meta: Any  # objects.ImageMeta
    admin_password: str = field(repr=False)
    device_type: str = "disk"
    disk_bus: str | None = None
    is_stable: bool = False


@dataclass(frozen=True, slots=True)
class ConsoleAddress:
    """Where a console listens, as a proxy reaches it; `internal_access_path` is what it asks for there."""

    host: str
    port: int
    internal_access_path: str | None = None
    tls_port: int | None = None


@dataclass(frozen=True, slots=True)
class GuestState:
    """What the hypervisor says of one guest now: power state code (states.PowerState) and its id there."""

    uuid: str
    power_state: int
    hypervisor_id: str | None = None


@dataclass(frozen=True, slots=True)
class NodeResources:
    """What one node has, before anybody uses it (the compute node record is made of this).

    Sizes: `memory_mib`, `disk_gib`, `vcpus` are totals. `cpu_info` is JSON text as it goes on the wire.
    """

    hypervisor_hostname: str
    uuid: str | None
    hypervisor_type: str
    hypervisor_version: int
    vcpus: int
    memory_mib: int
    disk_gib: int
    cpu_info: str
    supported_instances: tuple[tuple[str, str, str], ...]
    disk_available_least: int | None = None
    numa_topology: str | None = None
    pci_devices: tuple[Mapping[str, Any], ...] = ()
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inventory:
    """One resource class of one provider, in the units of placement."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int | None = None  # None: the total
    step_size: int = 1
    allocation_ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class HostCpuTimes:
    """What all processors of a host together have done since it started, in nanoseconds; their frequency."""

    user: int
    kernel: int
    idle: int
    iowait: int
    frequency_mhz: int


@dataclass(frozen=True, slots=True)
class LiveMigrationProgress:
    """How far a live migration is, in bytes. After the switch to post-copy it cannot be aborted any more."""

    memory_total: int
    memory_processed: int
    memory_remaining: int
    disk_total: int = 0
    disk_processed: int = 0
    disk_remaining: int = 0
    is_post_copy: bool = False

    @property
    def percent(self) -> int:
        """How much of the memory is there, 0 to 100."""
        if not self.memory_total:
            return 0
        return 100 - round(100 * self.memory_remaining / self.memory_total)


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """Something happened to a guest that we did not order; `name` as in contract `lifecycle_events`."""

    uuid: str
    name: str
    power_state: int
    timestamp: float
