"""Bringing record and guest to agree on the power state: what a difference means, and what is done."""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import Action, PowerState, TaskState, VmState
from computed.steps import power

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


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

    An instance that a verb is working on, or that has moved, is left alone, and so is one whose guest
    cannot be read. What fails is logged: the difference shows again next time.
    """
    context.update_store()
    with host.locks.try_hold(instance.uuid) as is_free:
        if not is_free:
            LOG.debug("Instance %s is being worked on", instance.uuid)
            return
        try:
            instance.refresh()
            agree(host, context, instance, power.power_state(host, instance))
        except (errors.InstanceNotFound, errors.UnexpectedTaskStateError) as error:
            LOG.info("Instance %s changed while its power state was looked at: %s", instance.uuid, error)
        except errors.HypervisorUnavailable as error:
            LOG.warning("Instance %s: the power of its guest is not known: %s", instance.uuid, error)
        except Exception:
            LOG.exception("Instance %s was not brought in line with its guest", instance.uuid)


def agree(host: ComputeHost, context: Any, instance: Any, guest: int) -> None:
    """Make the record agree with the guest's power state. The caller holds the instance's lock and has
    just read both."""
    if instance.host != host.name or instance.task_state is not None:
        LOG.debug("Instance %s is in other hands (%s)", instance.uuid, instance.task_state)
        return
    what = remedy(instance.vm_state, guest)
    if what is not Remedy.NOTHING:
        LOG.warning(
            "Instance %s is %s and its guest's power is %s (recorded: %s)%s",
            instance.uuid,
            instance.vm_state,
            guest,
            instance.power_state,
            ": it is stopped" if what is Remedy.STOP else "",
        )
    is_recorded = instance.power_state == guest
    instance.power_state = guest
    if what is Remedy.STOP:
        _stop(host, context, instance)
    elif not is_recorded:
        instance.save(expected_task_state=[None])


def _stop(host: ComputeHost, context: Any, instance: Any) -> None:
    """Stop it the way its owner would: the edge of the API, an action in its history, then the verb with
    its guards (contract: conductor_rpc.json, calls_made_by_compute)."""
    instance.task_state = TaskState.POWERING_OFF
    instance.progress = 0
    instance.save(expected_task_state=[None])
    objects.InstanceAction.action_start(context, instance.uuid, str(Action.STOP), want_result=False)
    host.own_calls("stop_instance", context, instance=instance, clean_shutdown=True)
