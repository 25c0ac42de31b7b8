"""Looking at a server from the outside, and making it show what is inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed import errors
from computed.states import PowerState
from computed.steps.announce import announced
from computed.steps.power import power_state

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost


def get_diagnostics(host: ComputeHost, context: RequestContext, *, instance: Any) -> dict[str, Any]:
    """Figures of a running guest under the driver's own names.

    Raises InstanceInvalidState, NotImplementedError.
    """
    _require_running(host, instance)
    return host.driver.diagnostics(instance)


def get_instance_diagnostics(host: ComputeHost, context: RequestContext, *, instance: Any) -> Any:
    """Figures of a running guest as an objects.Diagnostics.

    Raises InstanceInvalidState, NotImplementedError.
    """
    _require_running(host, instance)
    return host.driver.instance_diagnostics(instance)


def trigger_crash_dump(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Make the guest dump its memory; what becomes of it then depends on what it is configured to do."""
    with announced(host, context, instance, "trigger_crash_dump"):
        host.driver.trigger_crash_dump(instance)


def _require_running(host: ComputeHost, instance: Any) -> None:
    guest = power_state(host, instance)
    if guest != PowerState.RUNNING:
        raise errors.InstanceInvalidState(
            instance_uuid=instance.uuid,
            attr="power state",
            state=PowerState(guest).label,
            method="get_diagnostics",
        )
