"""Halting a server and letting it go on: in the host's memory (pause) or with it put away (suspend)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed import objects
from computed.states import TaskState
from computed.steps import shares, suspension
from computed.steps.announce import announced
from computed.steps.erring import erring
from computed.steps.guest import PARTS, known_guest
from computed.steps.power import power_state
from computed.steps.records import advance, require

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

# Each of these asks first whether it is still wanted: a cast that comes twice, or late, must not touch a
# guest that has gone on since.


def pause_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Halt the guest; it stays in the host's memory."""
    require(instance, (TaskState.PAUSING,))
    with announced(host, context.elevated(), instance, "pause"):
        host.driver.pause(instance)
        advance(host, instance, "pause", power_state=power_state(host, instance))


def unpause_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Let a paused guest go on."""
    require(instance, (TaskState.UNPAUSING,))
    with announced(host, context.elevated(), instance, "unpause"):
        host.driver.unpause(instance)
        advance(host, instance, "unpause", power_state=power_state(host, instance))


def suspend_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Write the guest's memory to disk and halt it; what the server was before is remembered.

    A driver that fails leaves the server in ERROR, unless it says that nothing has happened.
    """
    require(instance, (TaskState.SUSPENDING,))
    instance.load("system_metadata")
    before = instance.vm_state
    with announced(host, context.elevated(), instance, "suspend"):
        with erring(host, instance, back_to=before):
            host.driver.suspend(context.elevated(), instance)
        suspension.remember(instance, before)
        advance(host, instance, "suspend", power_state=power_state(host, instance))


def resume_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Let a suspended guest go on: the server is again what it was before.

    A driver that fails leaves the server in ERROR, unless it says that nothing has happened.
    """
    require(instance, (TaskState.RESUMING,))
    instance.load(*PARTS)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    with announced(host, context.elevated(), instance, "resume", bdms=bdms):
        with erring(host, instance, back_to=instance.vm_state):
            host.driver.resume(
                context.elevated(), known_guest(instance, bdms, shares.settled(host, context, instance))
            )
        vm_state = suspension.recall(instance)
        advance(host, instance, "resume", vm_state=vm_state, power_state=power_state(host, instance))
