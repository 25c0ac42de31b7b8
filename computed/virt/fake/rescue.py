"""Rescuing of guests that only exist in memory."""

from __future__ import annotations

from typing import Any, Final

from computed import errors
from computed.virt.fake.memory import Memory
from computed.virt.port.rescue import RescuePort
from computed.virt.specs import RescueSpec

_DEVICE_TYPES: Final = ("disk", "cdrom", "floppy")


class FakeRescue(Memory, RescuePort):
    """A rescued guest remembers the image it is rescued with, and says so on its console."""

    def rescue(self, context: Any, spec: RescueSpec) -> None:
        with self._changing("rescue", spec.guest.instance) as guest:
            if spec.device_type not in _DEVICE_TYPES:
                raise errors.UnsupportedRescueDevice(device=spec.device_type)
            guest.rescue = {
                "image": spec.image_meta.id,
                "device_type": spec.device_type,
                "disk_bus": spec.disk_bus,
                "is_stable": spec.is_stable,
            }
            guest.boot()

    def is_rescued(self, instance: Any) -> bool:
        with self._orders.around("is_rescued", instance):
            guest = self._store.find(instance.uuid)
            return guest is not None and guest.defined and guest.rescue is not None

    def unrescue(self, context: Any, instance: Any) -> None:
        with self._changing("unrescue", instance) as guest:
            guest.rescue = None
            guest.boot()
