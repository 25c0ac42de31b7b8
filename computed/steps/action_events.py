"""The action event: one line of an instance's history, begun before a verb and finished after it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from computed import errors, objects

LOG = logging.getLogger(__name__)


@contextmanager
def action_event(context: Any, host_name: str, event_name: str, instance_uuid: str) -> Iterator[None]:
    """Record `event_name` around the block: two conductor calls, whatever happens inside.

    An instance without the action that this request belongs to gets no event, and the block runs all the
    same. A conductor that does not answer before the block starts ends it there (nothing has happened
    yet); one that does not answer afterwards is logged only, for the block's own outcome stands.
    """
    is_begun = _begin(context, host_name, event_name, instance_uuid)
    try:
        yield
    except BaseException as error:
        if is_begun:
            _finish(context, event_name, instance_uuid, error)
        raise
    if is_begun:
        _finish(context, event_name, instance_uuid, None)


def _begin(context: Any, host_name: str, event_name: str, instance_uuid: str) -> bool:
    try:
        objects.InstanceActionEvent.event_start(
            context, instance_uuid, event_name, want_result=False, host=host_name
        )
    except errors.InstanceActionNotFound:
        LOG.info("Instance %s has no action of this request; %s is not recorded", instance_uuid, event_name)
        return False
    return True


def _finish(context: Any, event_name: str, instance_uuid: str, error: BaseException | None) -> None:
    try:
        objects.InstanceActionEvent.event_finish_with_failure(
            context,
            instance_uuid,
            event_name,
            exc_val=error,
            exc_tb=error.__traceback__ if error is not None else None,
            want_result=False,
        )
    except Exception as failure:
        LOG.warning("The end of %s on instance %s was not recorded: %s", event_name, instance_uuid, failure)
