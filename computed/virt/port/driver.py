"""The whole driver: what `loader.load_driver` returns and every operation uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from computed.virt.port.consoles import ConsolePort
from computed.virt.port.diagnostics import DiagnosticsPort
from computed.virt.port.guests import LifecyclePort, StatePort
from computed.virt.port.host import HostPort
from computed.virt.port.host_orders import HostOrdersPort
from computed.virt.port.image_cache import ImageCachePort
from computed.virt.port.interfaces import InterfacePort
from computed.virt.port.live_migration import LiveMigrationPort
from computed.virt.port.migration import MigrationPort
from computed.virt.port.pausing import PausePort
from computed.virt.port.rescue import RescuePort
from computed.virt.port.shared_storage import SharedStoragePort
from computed.virt.port.shares import SharePort
from computed.virt.port.signals import SignalPort
from computed.virt.port.snapshots import SnapshotPort
from computed.virt.port.volumes import VolumePort
from computed.virt.specs import DiskSpec


class Driver(
    HostPort,
    LifecyclePort,
    StatePort,
    PausePort,
    MigrationPort,
    InterfacePort,
    SharePort,
    ConsolePort,
    DiagnosticsPort,
    HostOrdersPort,
    ImageCachePort,
    SignalPort,
    SnapshotPort,
    RescuePort,
    LiveMigrationPort,
    VolumePort,
    SharedStoragePort,
):
    """One hypervisor: every concern has a port of its own."""

    vif_plug_events = False
    """Whether `spawn` plugs interfaces whose plugging neutron reports (a build then waits for it)."""

    def disk_name_prefix(self, image_meta: Any, disk_bus: str | None) -> str:
        """How a guest's disks are called when nobody chose names: `sd` or `vd`, without the letter."""
        return "sd"

    def device_names(
        self, instance: Any, image_meta: Any, disks: Sequence[DiskSpec]
    ) -> Sequence[str | None] | None:
        """What a new guest's disks are called, in their order, where the hypervisor chooses, whatever
        was asked for. None: it does not, see `disk_name_prefix`.

        Raises UnsupportedHardware, TooManyDiskDevices, InvalidMachineType.
        """
        return None

    def adopt_guests(self, instances: Iterable[Any]) -> None:
        """Told once at start what the records have for this host, before `states` is asked.

        Only for a hypervisor that lives in its agent's memory: taken over from another agent, it has
        forgotten its guests, and the records are all that is left of them.
        """
