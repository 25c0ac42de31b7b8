"""The fake driver's snapshots: small images that tell whose they are."""

from __future__ import annotations

from typing import Any, Final

from computed import errors
from computed.virt.fake.orders import Orders
from computed.virt.fake.store import FakeGuest, GuestStore
from computed.virt.port.snapshots import SnapshotPort, SnapshotTarget

_IMAGE_BYTES: Final = 4096


class FakeSnapshots(SnapshotPort):
    """Uploads an image that names the guest; stock's fake driver uploads none."""

    _orders: Orders
    _store: GuestStore
    snapshots_upload_at_once = True

    def snapshot(self, context: Any, instance: Any, target: SnapshotTarget) -> None:
        with self._orders.around("snapshot", instance):
            guest = self._store.find(instance.uuid)
            if guest is None or not guest.defined:
                raise errors.InstanceNotRunning(instance_id=instance.uuid)
            target.upload("raw", [_disk_of(guest)])

    def quiesce(self, context: Any, instance: Any, image_meta: Any) -> None:
        with self._orders.around("quiesce", instance), self._store.changing(instance.uuid) as guest:
            guest.quiesced = True

    def unquiesce(self, context: Any, instance: Any, image_meta: Any) -> None:
        with self._orders.around("unquiesce", instance), self._store.changing(instance.uuid) as guest:
            guest.quiesced = False


def _disk_of(guest: FakeGuest) -> bytes:
    return f"FAKE DISK {guest.uuid} BOOT {guest.boots}\n".encode().ljust(_IMAGE_BYTES, b"\0")
