"""Suspended servers: what they were before, and what has become of a suspension that a crash interrupted."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.states import PowerState, VmState
from computed.steps.power import power_state

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_BEFORE: Final = "old_vm_state"
"""The key of the system metadata that stock writes too: a suspended instance may be resumed by either."""

LONGEST_SECONDS: Final = 600.0
"""How long the memory of a guest may take to be put away before nobody waits for it any more."""

POLL_SECONDS: Final = 1.0


def remember(instance: Any, vm_state: str) -> None:
    """Note what the instance was before it was suspended, to go with its next save."""
    instance.system_metadata[_BEFORE] = vm_state


def recall(instance: Any) -> str:
    """What the instance was before it was suspended; forgotten with its next save."""
    return str(instance.system_metadata.pop(_BEFORE, VmState.ACTIVE))


def outcome(host: ComputeHost, instance: Any, guest: int) -> int:
    """Wait for the end of a suspension that an agent before this one has ordered, and call the instance
    SUSPENDED if its guest is; not saved. `guest` and the answer are power states.

    A hypervisor goes on with it alone, and a guest stands still meanwhile like a paused one. Returns early
    when this agent is stopped. Raises HypervisorUnavailable.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    while guest == PowerState.PAUSED and time.monotonic() < deadline:
        if host.stopping.wait(POLL_SECONDS):
            return guest
        guest = _look(host, instance, guest)
    if guest not in (PowerState.RUNNING, PowerState.PAUSED) and _is_suspended(host, instance):
        LOG.info("Instance %s was suspended while nobody looked", instance.uuid)
        remember(instance, instance.vm_state)
        instance.vm_state = VmState.SUSPENDED
    return guest


def _look(host: ComputeHost, instance: Any, before: int) -> int:
    try:
        return power_state(host, instance)
    except errors.HypervisorUnavailable as error:
        LOG.debug("Whether instance %s is suspended yet is not known: %s", instance.uuid, error)
        return before


def _is_suspended(host: ComputeHost, instance: Any) -> bool:
    try:
        return host.driver.is_suspended(instance)
    except NotImplementedError:
        return False
