"""The end of a guest: asked to stop, stopped, forgotten."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.states import POWERED_OFF, PowerState
from computed.virt.libvirt.codes import Failure

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.libvirt.guest import Guest

LOG = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.5
_TRIES: Final = 3


def find(engine: Engine, uuid: str) -> Guest | None:
    """The guest, or None when libvirt says that it has none such. Raises HypervisorUnavailable."""
    try:
        return engine.connection.guest(uuid)
    except errors.InstanceNotFound:
        return None


def is_off(guest: Guest) -> bool:
    """Whether the guest has no process any more; one that is gone has none.

    Not a question of its state: that is one of being off while the process still ends, and until it has
    ended libvirt starts it no more than a running one.
    """
    try:
        return not guest.is_active()
    except errors.InstanceNotFound:
        return True


def ask_to_stop(
    guest: Guest,
    timeout_seconds: float,
    retry_seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Ask the guest to shut down and wait for it, asking again every `retry_seconds`: while it starts it does
    not listen. False when it did not in time.

    Raises HypervisorUnavailable.
    """
    state = guest.state().power_state
    if state in POWERED_OFF:
        return True
    if state != PowerState.RUNNING:
        # Its processors stand still, so nobody in there hears anything.
        return False
    deadline = clock() + timeout_seconds
    ask_at = clock()
    while clock() < deadline:
        if clock() >= ask_at:
            _ask(guest)
            ask_at = clock() + retry_seconds if retry_seconds > 0 else deadline
        if is_off(guest):
            return True
        sleep(min(_POLL_SECONDS, max(deadline - clock(), 0)))
    return is_off(guest)


def _ask(guest: Guest) -> None:
    try:
        guest.shutdown()
    except (errors.InstanceNotFound, errors.LibvirtFailed) as error:
        LOG.debug("%r was not asked to shut down: %s", guest, error)


def stop(guest: Guest) -> None:
    """Take the guest's power, also of one that somebody starts again meanwhile.

    Raises InstancePowerOffFailure when it does not end, HypervisorUnavailable.
    """
    for _ in range(_TRIES):
        try:
            guest.destroy()
        except errors.InstanceNotFound:
            return
        except errors.LibvirtFailed as error:
            if error.code in (Failure.OPERATION_TIMEOUT, Failure.SYSTEM_ERROR):
                raise errors.InstancePowerOffFailure(reason=str(error)) from error
            raise
        if is_off(guest):
            return
        LOG.warning("%r runs again and is stopped once more", guest)
    raise errors.InstancePowerOffFailure(reason="it is started again whenever it is stopped")


def forget(guest: Guest, *, keep_nvram: bool) -> None:
    """Remove the definition of a stopped guest with what libvirt keeps beside it, if it is still there."""
    try:
        guest.undefine(keep_nvram=keep_nvram)
    except errors.InstanceNotFound:
        LOG.debug("%r is forgotten already", guest)


def end(engine: Engine, instance: Any, *, keep_nvram: bool) -> None:
    """Stop and forget the guest of an instance; returns when libvirt has none such.

    Raises InstancePowerOffFailure, HypervisorUnavailable, LibvirtFailed: then it may be there.
    """
    guest = find(engine, instance.uuid)
    if guest is not None:
        stop(guest)
        forget(guest, keep_nvram=keep_nvram)
    engine.serial_ports.release(instance.uuid)
