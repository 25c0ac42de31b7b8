"""Stands in for the ports of this driver that are not built yet; goes with the last of them."""

from __future__ import annotations

from typing import Any, NoReturn

from computed.virt.port import Driver
from computed.virt.specs import GuestSpec, GuestState


def _not_built(what: str) -> NoReturn:
    raise NotImplementedError(f"the libvirt driver cannot do this yet: {what}")


class UnbuiltGuests(Driver):
    """The life of guests."""

    def spawn(self, context: Any, spec: GuestSpec) -> None:
        _not_built("spawn")

    def destroy(self, context: Any, spec: GuestSpec, *, destroy_disks: bool = True) -> None:
        _not_built("destroy")

    def power_on(self, context: Any, spec: GuestSpec) -> None:
        _not_built("power_on")

    def power_off(self, instance: Any, *, timeout_seconds: int = 0, retry_seconds: int = 0) -> None:
        _not_built("power_off")

    def reboot(self, context: Any, spec: GuestSpec, *, hard: bool) -> None:
        _not_built("reboot")

    def delete_instance_files(self, instance: Any) -> bool:
        _not_built("delete_instance_files")

    def state(self, instance: Any) -> GuestState:
        _not_built("state")

    def console_output(self, context: Any, instance: Any) -> bytes:
        _not_built("console_output")

    def has_disks_of(self, instance: Any) -> bool:
        _not_built("has_disks_of")
