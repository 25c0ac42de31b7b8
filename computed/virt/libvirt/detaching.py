"""Getting a device back from a guest: the running one gives it when it likes, its definition at once.

Source: the contract's rules of detaching, [libvirt]device_detach_attempts and device_detach_timeout.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from computed import errors
from computed.states import PowerState
from computed.virt.libvirt.codes import Failure

if TYPE_CHECKING:
    from computed.virt.libvirt.events import Events
    from computed.virt.libvirt.guest import Guest
    from computed.virt.libvirt.xml.domain import Domain

LOG = logging.getLogger(__name__)

_RUNNING = (PowerState.RUNNING, PowerState.PAUSED)


class Device(Protocol):
    """Any device of our words; libvirt has given it an alias in the running guest."""

    alias: str | None

    def to_xml(self) -> str:
        """The XML text."""


Find = Callable[["Domain"], Device | None]


@dataclass(frozen=True, slots=True)
class DetachPatience:
    """How often a running guest is asked for a device, and how long each answer is waited for."""

    attempts: int = 8
    timeout_seconds: float = 20.0

    @classmethod
    def of(cls, conf: Any) -> DetachPatience:
        """Read it from the configuration."""
        return cls(conf.libvirt.device_detach_attempts, conf.libvirt.device_detach_timeout)


def is_running(guest: Guest) -> bool:
    """Whether devices are given to and taken from a process too."""
    return guest.state().power_state in _RUNNING


def detach(guest: Guest, events: Events, name: str, find: Find, patience: DetachPatience) -> None:
    """Take the device that `find` finds in a definition out of the running guest and then out of what it
    starts with; `name` is for people.

    Raises DeviceNotFound when it is in neither, DeviceDetachFailed when the guest keeps it (it is then in
    both, as before), InstanceNotFound, HypervisorUnavailable, LibvirtFailed.
    """
    running = find(guest.domain()) if is_running(guest) else None
    saved = find(guest.domain(inactive=True)) if guest.is_persistent() else None
    if running is None and saved is None:
        raise errors.DeviceNotFound(device=name)
    if running is not None:
        _from_running(guest, events, name, find, patience)
    if saved is not None and not _ask(guest, saved, name, live=False) and running is None:
        raise errors.DeviceNotFound(device=name)


def _from_running(guest: Guest, events: Events, name: str, find: Find, patience: DetachPatience) -> None:
    for attempt in range(1, patience.attempts + 1):
        device = find(guest.domain())
        if device is None:
            return
        if not device.alias:
            raise errors.InternalError(err=f"device {name} of guest {guest.uuid} has no alias")
        LOG.debug(
            "Guest %s: asking for %s (%s), %d/%d", guest.uuid, name, device.alias, attempt, patience.attempts
        )
        with events.device_removal(guest.uuid, device.alias) as waiting:
            if not _ask(guest, device, name, live=True):
                return
            outcome = waiting.result(patience.timeout_seconds)
        # events.Removal.REFUSED; the number, so that this room needs no libvirt
        if outcome == 1:
            raise errors.DeviceDetachFailed(device=name, reason="the guest refused to give it back")
        if outcome is None:
            LOG.warning("Guest %s has not said in time whether it gives %s back", guest.uuid, name)
    if find(guest.domain()) is not None:
        reason = f"the guest still has it after {patience.attempts} requests"
        raise errors.DeviceDetachFailed(device=name, reason=reason)


def _ask(guest: Guest, device: Device, name: str, *, live: bool) -> bool:
    """Order it; False when libvirt says that the device is not there."""
    try:
        guest.detach(device.to_xml(), live=live, persistent=not live)
    except errors.LibvirtFailed as error:
        text = str(error)
        if error.code == Failure.DEVICE_MISSING or (
            error.code == Failure.OPERATION_FAILED and "not found" in text
        ):
            LOG.debug("Guest %s has no %s any more: %s", guest.uuid, name, error)
            return False
        if live and error.code == Failure.INTERNAL_ERROR and "already in the process of unplug" in text:
            # An earlier request still stands: its answer is the one to wait for.
            return True
        raise
    return True
