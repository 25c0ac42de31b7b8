"""Live migrations of guests that only exist in memory: the memory goes to another agent's fake driver."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import PowerState
from computed.virt.fake.store import FakeGuest, GuestStore
from computed.virt.port.live_migration import LiveMigrationPort, Watch
from computed.virt.specs import GuestSpec, LiveMigrationProgress

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.virt.fake.orders import Orders
    from computed.virt.fake.variants import Variant

_MIB: Final = 1024 * 1024
_TICK_SECONDS: Final = 0.02
_MOVABLE: Final = (PowerState.RUNNING, PowerState.PAUSED)


class _Trip:
    """One guest on its way: how long that takes, and whether somebody has cut it short."""

    def __init__(self) -> None:
        self.decided = threading.Event()
        self.is_aborted = False

    def abort(self) -> None:
        """The guest is to stay."""
        self.is_aborted = True
        self.decided.set()

    def finish(self) -> None:
        """The guest is to arrive now."""
        self.decided.set()


class FakeLiveMigration(LiveMigrationPort):
    """`[fake]delays` tells how long `live_migrate` takes; meanwhile it can be aborted or forced.

    The source forgets the guest when `live_migrate` is over, the destination starts it in `receive_guest`.
    Storage is said to be shared, as by the stock fake driver, unless a block migration is asked for.
    """

    _conf: cfg.ConfigOpts
    _variant: Variant
    _orders: Orders
    _store: GuestStore

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._leaving: dict[str, _Trip] = {}
        self._coming: dict[str, FakeGuest] = {}

    def check_live_migration_destination(
        self,
        context: Any,
        instance: Any,
        source_node: Callable[[], Any],
        *,
        block_migration: bool | None,
        disk_over_commit: bool | None,
    ) -> Any:
        with self._orders.around("check_live_migration_destination", instance):
            conf = self._conf
            # Contract: what the stock fake driver answers; fields without a value stay unset.
            data = objects.LibvirtLiveMigrateData(
                disk_available_mb=100_000,
                filename="fake",
                graphics_listen_addr_spice=conf.spice.server_listen,
                graphics_listen_addr_vnc=conf.vnc.server_listen,
                image_type=conf.libvirt.images_type,
                is_shared_block_storage=not block_migration,
                is_shared_instance_path=not block_migration,
                serial_listen_addr=None,
            )
            if block_migration is not None:
                data.block_migration = block_migration
            if disk_over_commit is not None:
                data.disk_over_commit = disk_over_commit
            return data

    def check_live_migration_source(self, context: Any, spec: GuestSpec, data: Any) -> Any:
        with self._orders.around("check_live_migration_source", spec.instance):
            self._movable(spec.instance)
            return data

    def disks_to_send(self, context: Any, spec: GuestSpec, data: Any) -> str | None:
        return json.dumps({"guest": asdict(self._movable(spec.instance))})

    def prepare_live_migration(self, context: Any, spec: GuestSpec, disk: str | None, data: Any) -> Any:
        instance = spec.instance
        with self._orders.around("prepare_live_migration", instance):
            known = self._store.find(instance.uuid)
            if known is not None and known.defined:
                raise errors.InstanceExists(name=instance.uuid)
            self._coming[instance.uuid] = _guest_of(disk) or _new_guest(instance)
            return data

    def live_migrate(self, context: Any, spec: GuestSpec, dest: str, data: Any, watch: Watch) -> None:
        instance = spec.instance
        with self._orders.around("live_migrate", instance, delays=False):
            self._movable(instance)
            seconds = self._orders.delay_of("live_migrate") or self._variant.live_migration_seconds
            trip = self._leaving[instance.uuid] = _Trip()
            try:
                self._travel(trip, instance, seconds, watch)
                self._movable(instance)
                self._store.remove(instance.uuid, keep_disks=True)
            finally:
                del self._leaving[instance.uuid]

    def force_live_migration(self, instance: Any) -> None:
        with self._orders.around("force_live_migration", instance):
            self._trip(instance).finish()

    def abort_live_migration(self, instance: Any) -> None:
        with self._orders.around("abort_live_migration", instance):
            self._trip(instance).abort()

    def end_live_migration_at_source(
        self, context: Any, spec: GuestSpec, data: Any, *, clean_up: bool, destroy_disks: bool
    ) -> None:
        # What is on shared storage is no more here once it is there.
        with self._orders.around("end_live_migration_at_source", spec.instance):
            guest = self._store.find(spec.instance.uuid)
            if guest is not None and not guest.defined:
                self._store.remove(spec.instance.uuid, keep_disks=False)

    def receive_guest(self, context: Any, spec: GuestSpec, *, block_migration: bool | None) -> None:
        instance = spec.instance
        with self._orders.around("receive_guest", instance):
            known = self._store.find(instance.uuid)
            if known is not None and known.defined:
                return
            # This agent may have been restarted while the guest was on its way.
            guest = self._coming.pop(instance.uuid, None) or _new_guest(instance)
            guest.vifs = [vif["id"] for vif in spec.network_info or ()]
            guest.say(f"FAKE GUEST {guest.name} {guest.uuid}")
            guest.say("ARRIVED")
            self._store.add(guest)

    def take_back_at_source(self, context: Any, spec: GuestSpec, data: Any) -> None:
        with self._orders.around("take_back_at_source", spec.instance):
            pass

    def take_back_at_destination(
        self, context: Any, spec: GuestSpec, data: Any, *, destroy_disks: bool
    ) -> None:
        with self._orders.around("take_back_at_destination", spec.instance):
            self._coming.pop(spec.instance.uuid, None)

    def _travel(self, trip: _Trip, instance: Any, seconds: float, watch: Watch) -> None:
        """Take `seconds`, or until somebody decides, telling `watch` how far it is."""
        total = (instance.memory_mb or 0) * _MIB
        began = time.monotonic()
        while seconds and not trip.decided.wait(_TICK_SECONDS):
            done = min(1.0, (time.monotonic() - began) / seconds)
            if done >= 1.0:
                break
            self._movable(instance)
            watch(LiveMigrationProgress(total, int(total * done), total - int(total * done)))
        if trip.is_aborted:
            raise errors.LiveMigrationAborted("the live migration was aborted")

    def _movable(self, instance: Any) -> FakeGuest:
        guest = self._store.find(instance.uuid)
        if guest is None or not guest.defined:
            raise errors.InstanceNotFound(instance_id=instance.uuid)
        if guest.power_state not in _MOVABLE:
            raise errors.MigrationError(reason=f"the guest is {PowerState(guest.power_state).label}")
        return guest

    def _trip(self, instance: Any) -> _Trip:
        trip = self._leaving.get(instance.uuid)
        if trip is None:
            raise errors.NoActiveMigrationForInstance(instance_id=instance.uuid)
        return trip


def _guest_of(disk: str | None) -> FakeGuest | None:
    """The guest as the other end's driver remembers it; None when that is not one of ours."""
    try:
        return FakeGuest(**json.loads(disk or "{}")["guest"])
    except (ValueError, TypeError, KeyError):
        return None


def _new_guest(instance: Any) -> FakeGuest:
    is_paused = instance.power_state == PowerState.PAUSED
    return FakeGuest(instance.uuid, instance.name, PowerState.PAUSED if is_paused else PowerState.RUNNING)
