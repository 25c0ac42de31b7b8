"""Questions and orders about the host itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost


def get_host_uptime(host: ComputeHost, context: RequestContext) -> str:
    """How long the host has been up, in the words of uptime(1)."""
    return host.driver.host_uptime()


def set_host_enabled(host: ComputeHost, context: RequestContext, *, enabled: bool) -> str:
    """Let schedulers choose this host, or keep them off; returns "enabled" or "disabled".

    Raises placement's errors; the next audit then says it to placement.
    """
    host.tracker.set_disabled(context, not enabled)
    return "enabled" if enabled else "disabled"
