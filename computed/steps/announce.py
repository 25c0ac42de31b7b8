"""Tells those who listen to notifications how a verb goes, without letting them disturb it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def announce(
    host: ComputeHost, context: Any, instance: Any, action: str, phase: str | None, **details: Any
) -> None:
    """Send the notification `action`.`phase`; `details` as Notifier.instance takes them.

    A notification that cannot be sent is logged: it must never fail what it speaks of.
    """
    try:
        host.notifier.instance(context, instance, action, phase, **details)
    except Exception as error:
        LOG.warning("Instance %s: %s.%s was not notified: %s", instance.uuid, action, phase, error)


def announce_exists(host: ComputeHost, context: Any, instance: Any, **details: Any) -> None:
    """Tell what the instance was in the running audit period so far, before it becomes something else."""
    try:
        host.notifier.exists(context, instance, current_period=True, **details)
    except Exception as error:
        LOG.warning("Instance %s: exists was not notified: %s", instance.uuid, error)


@contextmanager
def announced(
    host: ComputeHost,
    context: Any,
    instance: Any,
    action: str,
    *,
    at_end: Mapping[str, Any] | None = None,
    **details: Any,
) -> Iterator[None]:
    """Notify `action`.start before the block and `action`.end, `at_end` too, after it unless it raised."""
    announce(host, context, instance, action, "start", **details)
    yield
    announce(host, context, instance, action, "end", **{**details, **(at_end or {})})
