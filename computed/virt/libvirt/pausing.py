"""Halting guests and letting them go on: the part of the driver behind PausePort."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.states import PowerState
from computed.virt.libvirt import ending
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.plugs import plug_all
from computed.virt.port.pausing import PausePort
from computed.virt.specs import GuestSpec

if TYPE_CHECKING:
    from computed.virt.libvirt.guest import Guest

LOG = logging.getLogger(__name__)


class LibvirtPausing(LibvirtPart, PausePort):
    """Paused guests stay in memory; suspended ones are in libvirt's managed save."""

    def pause(self, instance: Any) -> None:
        guest = self._engine.connection.guest(instance.uuid)
        if guest.state().power_state != PowerState.PAUSED:
            _require(guest, PowerState.RUNNING, "pause")
            guest.pause()

    def unpause(self, instance: Any) -> None:
        guest = self._engine.connection.guest(instance.uuid)
        if guest.state().power_state != PowerState.RUNNING:
            _require(guest, PowerState.PAUSED, "unpause")
            guest.resume()
            _set_clock(guest)

    def suspend(self, context: Any, instance: Any) -> None:
        guest = self._engine.connection.guest(instance.uuid)
        if not guest.is_active() and guest.has_managed_save():
            return
        try:
            if not guest.is_active():
                _require(guest, PowerState.RUNNING, "suspend")
            guest.managed_save()
        except (errors.InstanceInvalidState, errors.LibvirtFailed) as error:
            if not _goes_on(guest):
                raise
            raise errors.InstanceFaultRollback(error) from error

    def is_suspended(self, instance: Any) -> bool:
        guest = ending.find(self._engine, instance.uuid)
        return guest is not None and not guest.is_active() and guest.has_managed_save()

    def resume(self, context: Any, spec: GuestSpec) -> None:
        guest = self._engine.connection.guest(spec.instance.uuid)
        if guest.state().power_state == PowerState.RUNNING:
            return
        # They stayed plugged, unless the host was started anew meanwhile.
        plug_all(self._engine, spec)
        if guest.state().power_state == PowerState.PAUSED:
            guest.resume()
        else:
            guest.start()
        _set_clock(guest)


def _require(guest: Guest, wanted: PowerState, method: str) -> None:
    state = guest.state().power_state
    if state != wanted:
        raise errors.InstanceInvalidState(
            instance_uuid=guest.uuid, attr="power_state", state=PowerState(state).label, method=method
        )


def _goes_on(guest: Guest) -> bool:
    """Whether a guest that could not be suspended is as before."""
    try:
        return guest.is_active() or not guest.has_managed_save()
    except (errors.NovaException, errors.LibvirtFailed):
        return False


def _set_clock(guest: Guest) -> None:
    """A guest that stood still has lost time; its agent, if there is one, is told what time it is."""
    now = time.time()
    try:
        guest.set_time(int(now), int(now % 1 * 1e9))
    except errors.LibvirtFailed as error:
        if error.code not in (Failure.AGENT_UNRESPONSIVE, Failure.OPERATION_UNSUPPORTED):
            LOG.debug("The clock of %r was not set: %s", guest, error)
