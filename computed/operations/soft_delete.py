"""Deleting a server so that it can be restored for a while, and restoring it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed.steps import power
from computed.steps.announce import announced
from computed.steps.guest import PARTS
from computed.steps.records import advance

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost


def soft_delete_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Power a server off at once and keep everything of it until it is reclaimed or restored."""
    instance.load(*PARTS)
    with announced(host, context, instance, "soft_delete"):
        power.power_off(host, instance, clean_shutdown=False)
        advance(host, instance, "soft_delete", power_state=power.power_state(host, instance))


def restore_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Power a softly deleted server on again."""
    instance.load(*PARTS)
    with announced(host, context, instance, "restore"):
        power.power_on(host, context, instance)
        advance(host, instance, "restore", power_state=power.power_state(host, instance))
