"""Bringing record and guest to agree on the power state: what a difference means, and what is done."""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.states import Edge, PowerState, TaskState, VmState
from computed.steps import power
from computed.steps.records import advance, save

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_POWERING_OFF = Edge((None,), TaskState.POWERING_OFF)


class Remedy(Enum):
    """What brings an instance in line with its guest."""

    NOTHING = auto()
    STOP = auto()
    """Stop the instance, as its owner would: the guest went, or came, without being asked."""
    REPORT = auto()
    """Odd, but not ours to change."""


def remedy(vm_state: str | None, guest: int) -> Remedy:
    """What is to be done when an instance in `vm_state`, with no task, has a guest in power state `guest`."""
    down = guest in (PowerState.SHUTDOWN, PowerState.CRASHED)
    if vm_state == VmState.ACTIVE:
        if down or guest == PowerState.SUSPENDED:
            return Remedy.STOP
        return Remedy.NOTHING if guest == PowerState.RUNNING else Remedy.REPORT
    if vm_state == VmState.STOPPED:
        return Remedy.NOTHING if down or guest == PowerState.NOSTATE else Remedy.STOP
    if vm_state == VmState.PAUSED:
        return Remedy.STOP if down else Remedy.NOTHING
    if vm_state in (VmState.SOFT_DELETED, VmState.DELETED):
        return Remedy.NOTHING if guest in (PowerState.NOSTATE, PowerState.SHUTDOWN) else Remedy.REPORT
    return Remedy.NOTHING


def differs(instance: Any, guest: int) -> bool:
    """Whether record and guest disagree in a way that is worth a second look."""
    return instance.power_state != guest or remedy(instance.vm_state, guest) is Remedy.STOP


def sync(host: ComputeHost, context: Any, instance: Any) -> None:
    """Look at one instance and its guest again, under the instance's lock, and make them agree.

    An instance that a verb is working on, or that has moved, is left alone. Raises HypervisorUnavailable.
    """
    with host.locks.try_hold(instance.uuid) as is_free:
        if not is_free:
            return
        try:
            instance.refresh()
            if instance.host == host.name and instance.task_state is None:
                _agree(host, context, instance, power.power_state(host, instance))
        except (errors.InstanceNotFound, errors.UnexpectedTaskStateError) as error:
            LOG.info("Instance %s changed while its power state was looked at: %s", instance.uuid, error)


def _agree(host: ComputeHost, context: Any, instance: Any, guest: int) -> None:
    if instance.power_state != guest:
        LOG.info("Instance %s: power state %s becomes %s", instance.uuid, instance.power_state, guest)
        instance.power_state = guest
        save(host, instance, expected=(None,))
    what = remedy(instance.vm_state, guest)
    if what is Remedy.REPORT:
        LOG.warning("Instance %s is %s and its guest's power is %s", instance.uuid, instance.vm_state, guest)
    elif what is Remedy.STOP:
        LOG.warning(
            "Instance %s (%s) is stopped: its guest's power is %s", instance.uuid, instance.vm_state, guest
        )
        advance(host, instance, _POWERING_OFF, progress=0)
        try:
            power.stop(host, context, instance)
        except Exception:
            # Nothing would ever look at an instance that stayed in the middle of a task.
            advance(host, instance, Edge((TaskState.POWERING_OFF,), None))
            raise
