"""Deleting a server so that it can be restored for a while, and restoring it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed.states import TaskState
from computed.steps import power
from computed.steps.announce import announced
from computed.steps.guest import PARTS
from computed.steps.records import advance, require

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost


def soft_delete_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Power a server off at once and keep everything of it until it is reclaimed or restored."""
    # Like the way back: a cast that comes late must not touch a guest that has gone on since.
    require(instance, (TaskState.SOFT_DELETING,))
    instance.load(*PARTS)
    with announced(host, context, instance, "soft_delete"):
        power.power_off(host, instance, clean_shutdown=False)
        advance(host, instance, "soft_delete", power_state=power.power_state(host, instance))


def restore_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Power a softly deleted server on again."""
    require(instance, (TaskState.RESTORING,))
    instance.load(*PARTS)
    with announced(host, context, instance, "restore"):
        power.power_on(host, context, instance)
        advance(host, instance, "restore", power_state=power.power_state(host, instance))
