"""The action event: one line of an instance's history, begun before a verb and finished after it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.steps.patience import SHORT_PATIENCE_SECONDS, patiently

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


@contextmanager
def action_event(host: ComputeHost, context: Any, event_name: str, instance_uuid: str) -> Iterator[None]:
    """Record `event_name` around the block: two conductor calls, whatever happens inside.

    An instance without the action that this request belongs to gets no event, nor does one whose event the
    conductor refuses, and the block runs all the same. A conductor that is away is waited for; when it
    stays away the block is begun without an event, for only the block knows what its order holds already
    and how to give that back; afterwards that is logged only, for the block's own outcome stands. An agent
    that is being stopped while the conductor is away begins nothing: its next start finds the order in the
    record. Raises ConductorUnavailable then.
    """
    is_begun = _begin(host, context, event_name, instance_uuid)
    try:
        yield
    except BaseException as error:
        if is_begun:
            _finish(host, context, event_name, instance_uuid, error)
        raise
    if is_begun:
        _finish(host, context, event_name, instance_uuid, None)


def _begin(host: ComputeHost, context: Any, event_name: str, instance_uuid: str) -> bool:
    def attempt(is_repeated: bool) -> None:
        objects.InstanceActionEvent.event_start(
            context, instance_uuid, event_name, want_result=False, host=host.name
        )

    try:
        patiently(
            f"Beginning {event_name} of instance {instance_uuid}",
            attempt,
            stopping=host.stopping,
            patience_seconds=SHORT_PATIENCE_SECONDS,
        )
    except errors.InstanceActionNotFound:
        LOG.info("Instance %s has no action of this request; %s is not recorded", instance_uuid, event_name)
        return False
    except Exception as failure:
        if isinstance(failure, errors.ConductorUnavailable) and host.stopping.is_set():
            raise
        # The verb has legs for its own failures; not to begin it would leave what was prepared for it.
        LOG.warning(
            "The beginning of %s on instance %s was not recorded: %s", event_name, instance_uuid, failure
        )
        return False
    return True


def _finish(
    host: ComputeHost, context: Any, event_name: str, instance_uuid: str, error: BaseException | None
) -> None:
    def attempt(is_repeated: bool) -> None:
        objects.InstanceActionEvent.event_finish_with_failure(
            context,
            instance_uuid,
            event_name,
            exc_val=error,
            exc_tb=error.__traceback__ if error is not None else None,
            want_result=False,
        )

    try:
        patiently(
            f"Finishing {event_name} of instance {instance_uuid}",
            attempt,
            stopping=host.stopping,
            patience_seconds=SHORT_PATIENCE_SECONDS,
        )
    except Exception as failure:
        LOG.warning("The end of %s on instance %s was not recorded: %s", event_name, instance_uuid, failure)
