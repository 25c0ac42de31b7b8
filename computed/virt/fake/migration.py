"""Resizes and cold migrations of guests that only exist in memory."""

from __future__ import annotations

from typing import Any

from computed import errors
from computed.states import PowerState
from computed.virt.fake.memory import Memory
from computed.virt.fake.store import FakeGuest
from computed.virt.fake.volumes import volumes_in
from computed.virt.port.migration import MigrationPort
from computed.virt.specs import GuestSpec


class FakeMigration(Memory, MigrationPort):
    """The source forgets the guest but for its disks; the destination makes it of its specification."""

    def has_volumes(self, instance: Any) -> bool:
        guest = self._store.find(instance.uuid)
        return guest is None or guest.is_adopted or bool(guest.volumes)

    def migrate_disk_and_power_off(
        self, context: Any, spec: GuestSpec, migration: Any, flavor: Any, *, timeout_seconds: int
    ) -> str | None:
        uuid = spec.instance.uuid
        with self._changing("migrate_disk_and_power_off", spec.instance) as guest:
            if flavor.root_gb and flavor.root_gb < spec.instance.flavor.root_gb:
                raise errors.InstanceFaultRollback(errors.ResizeError(reason="disks cannot be made smaller"))
            guest.power_state = PowerState.SHUTDOWN
        self._store.remove(uuid, keep_disks=True)
        return None

    def finish_migration(
        self, context: Any, spec: GuestSpec, migration: Any, disk_info: str | None, *, resize_disks: bool
    ) -> None:
        with self._orders.around("finish_migration", spec.instance):
            self._make(spec)

    def confirm_migration(self, context: Any, spec: GuestSpec, migration: Any) -> None:
        with self._orders.around("confirm_migration", spec.instance):
            if migration.source_compute != migration.dest_compute:
                self._store.remove(spec.instance.uuid, keep_disks=False)

    def finish_revert_migration(self, context: Any, spec: GuestSpec, migration: Any) -> None:
        with self._orders.around("finish_revert_migration", spec.instance):
            self._make(spec)

    def _make(self, spec: GuestSpec) -> None:
        """A guest of its specification, with the console and image that its disks here remember."""
        uuid = spec.instance.uuid
        kept = self._store.find(uuid)
        guest = kept or FakeGuest(uuid, spec.instance.name, PowerState.SHUTDOWN)
        guest.defined = True
        guest.power_state = PowerState.SHUTDOWN
        guest.is_adopted = False
        guest.disks = [disk.device_name or "" for disk in spec.disks]
        guest.volumes = volumes_in(spec)
        guest.vifs = [vif["id"] for vif in spec.network_info or ()]
        if guest.image is None:
            guest.image = next((disk.image_id for disk in spec.disks if disk.boot_index == 0), None)
        if spec.power_on:
            guest.boot()
        self._store.add(guest)
