"""Pausing and suspending of guests that only exist in memory."""

from __future__ import annotations

from typing import Any

from computed import errors
from computed.states import PowerState
from computed.virt.fake.memory import Memory
from computed.virt.fake.store import FakeGuest
from computed.virt.port.pausing import PausePort
from computed.virt.specs import GuestSpec


class FakePausing(Memory, PausePort):
    """A guest that is halted goes on where it was: it does not boot again."""

    def pause(self, instance: Any) -> None:
        with self._changing("pause", instance) as guest:
            if guest.power_state != PowerState.PAUSED:
                _require_running(guest, "pause")
                guest.power_state = PowerState.PAUSED

    def unpause(self, instance: Any) -> None:
        with self._changing("unpause", instance) as guest:
            if guest.power_state != PowerState.RUNNING:
                _require(guest, PowerState.PAUSED, "unpause")
                guest.power_state = PowerState.RUNNING

    def suspend(self, context: Any, instance: Any) -> None:
        with self._changing("suspend", instance) as guest:
            if guest.power_state != PowerState.SUSPENDED:
                try:
                    _require_running(guest, "suspend")
                except errors.InstanceInvalidState as error:
                    raise errors.InstanceFaultRollback(error) from error
                guest.power_state = PowerState.SUSPENDED

    def is_suspended(self, instance: Any) -> bool:
        with self._orders.around("is_suspended", instance):
            guest = self._store.find(instance.uuid)
            return guest is not None and guest.defined and guest.has_saved_memory

    def resume(self, context: Any, spec: GuestSpec) -> None:
        with self._changing("resume", spec.instance) as guest:
            if guest.has_saved_memory:
                guest.power_state = PowerState.RUNNING
                guest.is_saved = False
            elif guest.power_state != PowerState.RUNNING:
                guest.boot()


def _require_running(guest: FakeGuest, method: str) -> None:
    _require(guest, PowerState.RUNNING, method)


def _require(guest: FakeGuest, power_state: PowerState, method: str) -> None:
    if guest.power_state != power_state:
        raise errors.InstanceInvalidState(
            instance_uuid=guest.uuid,
            attr="power_state",
            state=PowerState(guest.power_state).label,
            method=method,
        )
