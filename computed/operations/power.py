"""Stopping and starting a server, and taking note that somebody else has."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.states import PowerState, PowerUpdate, VmState
from computed.steps import power
from computed.steps.announce import announced
from computed.steps.records import advance

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_UPDATES: Final = {
    # target: what the server must be, the edge on which its update begins, the verb, the edge to its end
    PowerUpdate.POWER_ON: ((VmState.STOPPED, PowerState.SHUTDOWN), "power_update_on", "power_on", "start"),
    PowerUpdate.POWER_OFF: ((VmState.ACTIVE, PowerState.RUNNING), "power_update_off", "power_off", "stop"),
}
"""Contract: stock takes power updates of servers in these states only."""


def stop_instance(
    host: ComputeHost, context: RequestContext, *, instance: Any, clean_shutdown: bool = True
) -> None:
    """Power a server off; with `clean_shutdown` its guest is asked first."""
    power.stop(host, context, instance, clean_shutdown=clean_shutdown)


def start_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Power a stopped server on."""
    power.start(host, context, instance)


def power_update(
    host: ComputeHost, context: RequestContext, *, instance: Any, target_power_state: str
) -> None:
    """Record that the guest was switched by somebody else ("POWER_ON", "POWER_OFF").

    A server in another state is left alone, and so is one that another verb takes meanwhile. Raises
    NotImplementedError when the driver's guests cannot be switched by others.
    """
    before, begin, verb, end = _UPDATES[PowerUpdate(target_power_state)]
    if instance.task_state is not None or (instance.vm_state, instance.power_state) != before:
        LOG.info(
            "Power update %s of instance %s changes nothing: it is %s, task %s, power %s",
            target_power_state,
            instance.uuid,
            instance.vm_state,
            instance.task_state,
            instance.power_state,
        )
        return
    try:
        advance(host, instance, begin, progress=0)
        with announced(host, context, instance, verb):
            host.driver.power_update_event(instance, target_power_state)
            advance(host, instance, end, power_state=power.power_state(host, instance))
    except errors.UnexpectedTaskStateError as error:
        LOG.info("Power update of instance %s gave way to another verb: %s", instance.uuid, error)
