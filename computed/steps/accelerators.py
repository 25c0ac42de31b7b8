"""The accelerators of an instance: waiting until they are bound, what a guest is told of them, giving back.

The conductor begins to bind them before it calls a compute; cyborg sends an event for each when it is done.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.states import ExternalEventName

if TYPE_CHECKING:
    from computed.clients.accelerators import AcceleratorRequest
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

PROFILE: Final = "accel:device_profile"
"""The extra spec by which a flavor asks for accelerators."""
_RESOLVED: Final = frozenset({"Bound", "BindFailed", "Deleting"})
_BOUND: Final = "Bound"


def has_profile(instance: Any) -> bool:
    """Whether the instance's flavor asks for accelerators."""
    return bool((instance.flavor.extra_specs or {}).get(PROFILE))


def bound(
    host: ComputeHost, context: Any, instance: Any, request_uuids: Sequence[str]
) -> list[AcceleratorRequest]:
    """Wait until the instance's accelerator requests are bound to this host, and return them.

    Nothing is asked without `request_uuids`. Whoever fails, also before it comes here, must `release` them:
    another host gets others. Raises
    AcceleratorRequestBindingFailed, InstanceEventTimeout (arq_binding_timeout), ShuttingDown and what
    AcceleratorService raises.
    """
    if not request_uuids:
        return []
    # What has been told before we listen can be read; what is told from now on is kept.
    with host.events.expect(instance.uuid, ()) as expectation:
        found = _named(host.accelerators.requests_of(context, instance.uuid), request_uuids)
        waiting = [uuid for uuid in request_uuids if _state(found, uuid) not in _RESOLVED]
        if waiting:
            expectation.also((ExternalEventName.ACCELERATOR_REQUEST_BOUND, uuid) for uuid in waiting)
            expectation.wait(host.conf.arq_binding_timeout)
            found = _named(host.accelerators.requests_of(context, instance.uuid), request_uuids)
    failed = [uuid for uuid in request_uuids if _state(found, uuid) != _BOUND]
    if failed:
        raise errors.AcceleratorRequestBindingFailed(arqs=list(failed), msg=", ".join(failed))
    return [found[uuid] for uuid in request_uuids]


def _named(
    found: Sequence[AcceleratorRequest], request_uuids: Sequence[str]
) -> dict[str, AcceleratorRequest]:
    return {request["uuid"]: request for request in found if request["uuid"] in request_uuids}


def _state(found: dict[str, AcceleratorRequest], uuid: str) -> str | None:
    return found[uuid]["state"] if uuid in found else None


def of(host: ComputeHost, context: Any, instance: Any) -> list[AcceleratorRequest]:
    """The accelerators that the instance has, for a guest that is started again."""
    return host.accelerators.requests_of(context, instance.uuid) if has_profile(instance) else []


def release(host: ComputeHost, context: Any, instance: Any, request_uuids: Sequence[str] = ()) -> None:
    """Give the instance's accelerators back, and those of `request_uuids`, which may belong to it not yet.

    A failure is logged: it must keep nobody from going, and cyborg's administrator can delete them.
    """
    try:
        if has_profile(instance):
            host.accelerators.delete_of(context, instance.uuid)
        if request_uuids:
            host.accelerators.delete(context, request_uuids)
    except Exception as error:
        LOG.warning("Accelerators of instance %s may be left in cyborg: %s", instance.uuid, error)
