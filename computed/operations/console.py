"""What a server has written on its console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost


def get_console_output(
    host: ComputeHost, context: RequestContext, *, instance: Any, tail_length: int | str | None
) -> str:
    """The console log, or its last `tail_length` lines; what is not ASCII shows as a replacement character.

    Raises NotImplementedError, ConsoleNotAvailable, InstanceNotFound.
    """
    log = host.driver.console_output(context.elevated(), instance)
    return tail(log, tail_length).decode("ascii", "replace")


def tail(log: bytes, length: int | str | None) -> bytes:
    """The last `length` lines, all of them for None, none for what is no number."""
    if length is None:
        return log
    try:
        count = int(length)
    except ValueError:
        count = 0
    return b"\n".join(log.split(b"\n")[-count:]) if count > 0 else b""
