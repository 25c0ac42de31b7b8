"""The fake driver: obeys the driver port on guests that exist only in its memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.states import PowerState, VmState
from computed.virt import capabilities, uptime
from computed.virt.fake.consoles import FakeConsoles
from computed.virt.fake.diagnostics import FakeDiagnostics
from computed.virt.fake.host_orders import FakeHostOrders, FakeImageCache
from computed.virt.fake.interfaces import FakeInterfaces
from computed.virt.fake.live_migration import FakeLiveMigration
from computed.virt.fake.migration import FakeMigration
from computed.virt.fake.nodes import CPU_TIMES, Nodes
from computed.virt.fake.orders import Orders
from computed.virt.fake.pausing import FakePausing
from computed.virt.fake.rescue import FakeRescue
from computed.virt.fake.shares import FakeShares
from computed.virt.fake.signals import FakeSignals
from computed.virt.fake.snapshots import FakeSnapshots
from computed.virt.fake.store import FakeGuest, GuestStore
from computed.virt.fake.variants import VARIANTS, Variant
from computed.virt.fake.volumes import FakeVolumes, volumes_in
from computed.virt.port import Driver
from computed.virt.specs import (
    GuestSpec,
    GuestState,
    HostCpuTimes,
    Inventory,
    LifecycleEvent,
    NodeResources,
)

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)


_EVENT_NAMES: Mapping[int, str] = {
    PowerState.RUNNING: "EVENT_LIFECYCLE_STARTED",
    PowerState.SHUTDOWN: "EVENT_LIFECYCLE_STOPPED",
    PowerState.CRASHED: "EVENT_LIFECYCLE_STOPPED",
    PowerState.PAUSED: "EVENT_LIFECYCLE_PAUSED",
    PowerState.SUSPENDED: "EVENT_LIFECYCLE_SUSPENDED",
}


_WITHOUT_GUEST = (VmState.BUILDING, VmState.DELETED, VmState.ERROR, VmState.SHELVED_OFFLOADED)


class FakeHost(Driver):
    """The host side: nodes, their resources, facts."""

    can_adopt_nodes = True
    stopped_event_delay_seconds = 0.5

    def __init__(self, conf: cfg.ConfigOpts, variant: Variant) -> None:
        self._conf = conf
        self._variant = variant
        self._nodes = Nodes(conf, variant)
        self._orders = Orders(conf, variant.fail)
        self._on_event: Callable[[LifecycleEvent], None] | None = None
        self.vif_plug_events = conf.fake.vif_plug_events

    @property
    def capabilities(self) -> Mapping[str, bool]:
        return self._variant.capabilities

    def node_uuids(self) -> dict[str, str]:
        with self._orders.around("node_uuids"):
            return self._nodes.uuids()

    def adopt_node(self, node: str, node_uuid: str) -> None:
        self._nodes.adopt(node, node_uuid)

    def node_resources(self, node: str) -> NodeResources:
        with self._orders.around("node_resources"):
            return self._nodes.resources(node)

    def node_inventories(self, node: str) -> dict[str, dict[str, Inventory]]:
        with self._orders.around("node_inventories"):
            return self._nodes.inventories(node)

    def node_traits(self, node: str) -> frozenset[str]:
        return capabilities.traits_of(self.capabilities)

    def owns_provider(self, node: str, name: str) -> bool:
        return name == f"{node}-child"

    def host_ip(self) -> str:
        return "192.168.0.1"

    def host_uptime(self) -> str:
        return self._conf.fake.uptime or uptime.read()

    def host_cpu_times(self) -> HostCpuTimes:
        return CPU_TIMES

    def on_lifecycle_event(self, callback: Callable[[LifecycleEvent], None] | None) -> None:
        self._on_event = callback

    def volume_connector(self, instance: Any) -> dict[str, Any]:
        return {"ip": self._conf.my_block_storage_ip, "initiator": "fake", "host": self._conf.host}


class FakeDriver(
    FakePausing,
    FakeConsoles,
    FakeDiagnostics,
    FakeSignals,
    FakeHostOrders,
    FakeImageCache,
    FakeMigration,
    FakeSnapshots,
    FakeRescue,
    FakeLiveMigration,
    FakeInterfaces,
    FakeShares,
    FakeVolumes,
    FakeHost,
):
    """The guests: remembered under `state_path` unless `[fake]persist` is off."""

    def __init__(self, conf: cfg.ConfigOpts, variant: Variant = VARIANTS["FakeDriver"]) -> None:
        super().__init__(conf, variant)
        self._store = GuestStore(None)
        self._has_no_past = False
        self._mounts = set()
        self._cached_images: set[str] = set()

    def init_host(self, host: str) -> None:
        self._orders.check()
        self._nodes.serve(host)
        folder = Path(self._conf.state_path) / "fake" / host if self._conf.fake.persist else None
        self._has_no_past = folder is not None and not folder.exists()
        self._store = GuestStore(folder)
        self._store.load()

    def cleanup_host(self, host: str) -> None:
        self._on_event = None

    def spawn(self, context: Any, spec: GuestSpec) -> None:
        instance = spec.instance
        with self._orders.around("spawn", instance):
            known = self._store.find(instance.uuid)
            if known is not None and known.defined:
                raise errors.InstanceExists(name=instance.uuid)
            if known is not None and spec.is_new:
                raise errors.InstanceDeployFailure(reason="its disks are still there from before")
            guest = FakeGuest(
                uuid=instance.uuid,
                name=instance.name,
                power_state=PowerState.SHUTDOWN,
                disks=[disk.device_name or "" for disk in spec.disks],
                vifs=[vif["id"] for vif in spec.network_info or ()],
                image=next((disk.image_id for disk in spec.disks if disk.boot_index == 0), None),
                volumes=volumes_in(spec),
                accelerators=_accelerators_in(spec),
            )
            if spec.power_on:
                guest.boot()
            self._store.add(guest)

    def destroy(self, context: Any, spec: GuestSpec, *, destroy_disks: bool = True) -> None:
        with self._orders.around("destroy", spec.instance):
            self._store.remove(spec.instance.uuid, keep_disks=not destroy_disks)

    def adopt_guests(self, instances: Iterable[Any]) -> None:
        """On a host that another agent's fake driver served: remember what that one has forgotten."""
        if not self._has_no_past:
            return
        for instance in instances:
            if instance.vm_state in _WITHOUT_GUEST or self._store.find(instance.uuid) is not None:
                continue
            guest = FakeGuest(instance.uuid, instance.name, instance.power_state or PowerState.NOSTATE)
            guest.is_adopted = True
            guest.vifs = [vif["id"] for vif in instance.get_network_info()]
            guest.say(f"FAKE GUEST {guest.name} {guest.uuid}")
            self._store.add(guest)
            LOG.info("Instance %s is remembered from its record", instance.uuid)

    def power_on(self, context: Any, spec: GuestSpec) -> None:
        instance = spec.instance
        with self._orders.around("power_on", instance), self._store.changing(instance.uuid) as guest:
            if guest.power_state != PowerState.RUNNING:
                guest.volumes = volumes_in(spec)
                guest.accelerators = _accelerators_in(spec)
                guest.boot()

    def power_off(self, instance: Any, *, timeout_seconds: int = 0, retry_seconds: int = 0) -> None:
        with self._orders.around("power_off", instance), self._store.changing(instance.uuid) as guest:
            guest.power_state = PowerState.SHUTDOWN

    def reboot(self, context: Any, spec: GuestSpec, *, hard: bool) -> None:
        with self._orders.around("reboot", spec.instance):
            known = self._store.find(spec.instance.uuid)
            if hard and (known is None or not known.defined):
                # As with libvirt, a hard reboot makes a guest that has gone anew.
                self.spawn(context, spec)
                return
            with self._store.changing(spec.instance.uuid) as guest:
                if hard:
                    guest.volumes = volumes_in(spec)
                guest.accelerators = _accelerators_in(spec)
                guest.boot()

    def delete_instance_files(self, instance: Any) -> bool:
        with self._orders.around("delete_instance_files", instance):
            guest = self._store.find(instance.uuid)
            if guest is not None and guest.defined:
                return False
            self._store.remove(instance.uuid, keep_disks=False)
            return True

    def states(self) -> dict[str, GuestState]:
        with self._orders.around("states"):
            return {guest.uuid: _state(guest) for guest in self._store.defined()}

    def state(self, instance: Any) -> GuestState:
        with self._orders.around("state", instance):
            guest = self._store.find(instance.uuid)
            if guest is None or not guest.defined:
                raise errors.InstanceNotFound(instance_id=instance.uuid)
            return _state(guest)

    def console_output(self, context: Any, instance: Any) -> bytes:
        with self._orders.around("console_output", instance), self._store.changing(instance.uuid) as guest:
            return "\n".join(guest.console).encode()

    def has_disks_of(self, instance: Any) -> bool:
        return self._store.find(instance.uuid) is not None

    def change_by_itself(self, uuid: str, power_state: int) -> None:
        """Let a guest change its power state as if from inside, and tell whoever listens to events."""
        with self._store.changing(uuid) as guest:
            was, guest.power_state = guest.power_state, power_state
        name = _EVENT_NAMES.get(power_state)
        if power_state == PowerState.RUNNING and was == PowerState.PAUSED:
            name = "EVENT_LIFECYCLE_RESUMED"
        if name is not None and self._on_event is not None:
            self._on_event(LifecycleEvent(uuid, name, power_state, time.time()))


def _state(guest: FakeGuest) -> GuestState:
    return GuestState(guest.uuid, guest.power_state)


def _accelerators_in(spec: GuestSpec) -> list[str]:
    return [request["uuid"] for request in spec.accelerators]
