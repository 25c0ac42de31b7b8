"""Orders to running guests that only exist in memory."""

from __future__ import annotations

from typing import Any

from computed import errors
from computed.states import PowerState, PowerUpdate
from computed.virt.fake.memory import Memory
from computed.virt.fake.variants import Variant
from computed.virt.port.signals import SignalPort


class FakeSignals(Memory, SignalPort):
    """A guest writes on its console what it was told; never a password."""

    _variant: Variant

    def trigger_crash_dump(self, instance: Any) -> None:
        with self._changing("trigger_crash_dump", instance) as guest:
            if guest.power_state not in (PowerState.RUNNING, PowerState.PAUSED):
                raise errors.InstanceNotRunning(instance_id=guest.uuid)
            guest.say("CRASH DUMP")

    def set_admin_password(self, instance: Any, password: str) -> None:
        with self._changing("set_admin_password", instance) as guest:
            guest.say("PASSWORD CHANGED")

    def power_update_event(self, instance: Any, target_power_state: str) -> None:
        if not self._variant.takes_power_updates:
            raise NotImplementedError("this fake driver takes no power updates")
        with self._changing("power_update_event", instance) as guest:
            if target_power_state == PowerUpdate.POWER_OFF:
                guest.power_state = PowerState.SHUTDOWN
            elif guest.power_state != PowerState.RUNNING:
                guest.boot()
