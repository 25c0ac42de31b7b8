"""Volumes of fake guests: remembered, and made to fail as ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from computed import errors
from computed.virt.fake.orders import Orders
from computed.virt.fake.store import FakeGuest, GuestStore
from computed.virt.port.volumes import VolumePort, VolumeStats
from computed.virt.specs import DiskSpec, GuestSpec


class FakeVolumes(VolumePort):
    """Implements VolumePort on the guests of the store."""

    _orders: Orders
    _store: GuestStore

    def attach_volume(self, context: Any, instance: Any, disk: DiskSpec) -> Mapping[str, Any]:
        with self._orders.around("attach_volume", instance), self._store.changing(instance.uuid) as guest:
            if disk.volume_id in guest.volumes:
                raise errors.VolumeAttachFailed(volume_id=disk.volume_id, reason="the guest has it already")
            _plug(guest, disk)
        return disk.connection_info or {}

    def detach_volume(self, context: Any, instance: Any, disk: DiskSpec) -> None:
        with self._orders.around("detach_volume", instance), self._store.changing(instance.uuid) as guest:
            del guest.volumes[_find(guest, disk)]

    def swap_volume(
        self, context: Any, instance: Any, old: DiskSpec, new: DiskSpec, *, new_size_gib: int | None
    ) -> Mapping[str, Any]:
        with self._orders.around("swap_volume", instance), self._store.changing(instance.uuid) as guest:
            del guest.volumes[_find(guest, old)]
            _plug(guest, new)
        return new.connection_info or {}

    def extend_volume(self, context: Any, instance: Any, disk: DiskSpec, *, size_bytes: int) -> None:
        with self._orders.around("extend_volume", instance), self._store.changing(instance.uuid) as guest:
            _find(guest, disk)
            guest.say(f"EXTENDED {disk.volume_id} {size_bytes}")

    def create_volume_snapshot(
        self, context: Any, instance: Any, volume_id: str, create_info: Mapping[str, Any]
    ) -> None:
        operation = self._orders.around("create_volume_snapshot", instance)
        with operation, self._store.changing(instance.uuid) as guest:
            if volume_id not in guest.volumes:
                raise errors.DiskNotFound(location=volume_id)
            guest.say(f"SNAPSHOT {create_info['snapshot_id']} {volume_id}")

    def delete_volume_snapshot(
        self, context: Any, instance: Any, volume_id: str, snapshot_id: str, delete_info: Mapping[str, Any]
    ) -> None:
        operation = self._orders.around("delete_volume_snapshot", instance)
        with operation, self._store.changing(instance.uuid) as guest:
            if volume_id not in guest.volumes:
                raise errors.DiskNotFound(location=volume_id)
            guest.say(f"SNAPSHOT GONE {snapshot_id} {volume_id}")

    def volume_stats(self, disks: Mapping[str, Sequence[DiskSpec]]) -> Mapping[tuple[str, str], VolumeStats]:
        with self._orders.around("volume_stats"):
            guests = {uuid: self._store.find(uuid) for uuid in disks}
            return {
                (uuid, str(disk.volume_id)): VolumeStats()
                for uuid, guest in guests.items()
                if guest is not None
                for disk in disks[uuid]
                if disk.volume_id in guest.volumes or disk.device_name in guest.volumes.values()
            }

    def volumes_of(self, uuid: str) -> dict[str, str]:
        """Volume id → device name of what a guest has; for those who look from outside."""
        guest = self._store.find(uuid)
        return {} if guest is None else dict(guest.volumes)


def volumes_in(spec: GuestSpec) -> dict[str, str]:
    """What a guest that is made of `spec` has: volume id → device name."""
    return {str(disk.volume_id): disk.device_name or "" for disk in spec.disks if disk.source == "volume"}


def _find(guest: FakeGuest, disk: DiskSpec) -> str:
    """The name under which the guest has a volume: one that was moved in the volume service got the id of
    its old self back, and the guest was not told."""
    if disk.volume_id in guest.volumes:
        return str(disk.volume_id)
    for volume_id, device_name in guest.volumes.items():
        if device_name and device_name == disk.device_name:
            return volume_id
    raise errors.DiskNotFound(location=disk.device_name)


def _plug(guest: FakeGuest, disk: DiskSpec) -> None:
    guest.volumes = {**guest.volumes, str(disk.volume_id): disk.device_name or ""}
