"""One way to make an RPC client, and one way to turn what goes wrong on the bus into our errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import oslo_messaging

from computed import errors

LOG = logging.getLogger(__name__)

# The other side sends signs of life at this pace at least (contract: compute_rpc.json, target).
HEARTBEAT_THRESHOLD_SECONDS: Final = 60
_READ_ATTEMPTS: Final = 3

Result = TypeVar("Result")


def rpc_client(transport: Any, target: Any, serializer: Any, version_cap: str | None = None) -> Any:
    """A client for `target`.

    With a response timeout above the heartbeat threshold the server is asked for signs of life, so that
    a dead one is noticed long before the timeout.
    """

    def make(**monitor: int) -> Any:
        return oslo_messaging.get_rpc_client(
            transport, target, version_cap=version_cap, serializer=serializer, **monitor
        )

    client = make()
    # The option is known only once there is a client.
    if transport.conf.rpc_response_timeout <= HEARTBEAT_THRESHOLD_SECONDS:
        return client
    return make(call_monitor_timeout=HEARTBEAT_THRESHOLD_SECONDS)


@contextmanager
def bus_errors(
    what: str,
    *,
    unavailable: type[errors.ComputedError] = errors.ConductorUnavailable,
    timeout: type[errors.ComputedError] = errors.ConductorTimeout,
) -> Iterator[None]:
    """Raise `timeout`, `unavailable` or InternalError for what the bus reports.

    `what` names the call. Errors that the other side sends as a class we know pass through.
    """
    try:
        yield
    except oslo_messaging.MessagingTimeout as error:
        raise timeout(f"no answer in time to {what}") from error
    except (oslo_messaging.MessageDeliveryFailure, oslo_messaging.MessageUndeliverable) as error:
        raise unavailable(f"{what} could not be delivered") from error
    except oslo_messaging.RemoteError as error:
        # A class that we do not know: its text may hold SQL or addresses, so only the name goes on.
        LOG.debug("%s failed on the other side: %s: %s", what, error.exc_type, error.value)
        raise errors.InternalError(err=f"{what} failed with {error.exc_type}") from error
    except errors.NovaException as error:
        raise errors.without_remote_traceback(error) from None


def repeat_read(what: str, read: Callable[[], Result]) -> Result:
    """`read` again when no answer came in time; only for calls that change nothing on the other side."""
    for attempt in range(1, _READ_ATTEMPTS):
        try:
            return read()
        except errors.ConductorUnavailable as error:
            LOG.warning("%s, asking again (attempt %d of %d)", error, attempt + 1, _READ_ATTEMPTS)
    return read()
