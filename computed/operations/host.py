"""Questions and orders about the host itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def get_host_uptime(host: ComputeHost, context: RequestContext) -> str:
    """How long the host has been up, in the words of uptime(1)."""
    return host.driver.host_uptime()


def host_power_action(host: ComputeHost, context: RequestContext, *, action: str) -> str:
    """Have the driver do "startup", "shutdown" or "reboot" to the host; raises NotImplementedError."""
    LOG.warning("The host is ordered: %s", action)
    return host.driver.power_action(action)


# The argument that the contract calls `host` names the host in maintenance, which need not be this one.
def host_maintenance_mode(compute: ComputeHost, context: RequestContext, *, host: str, mode: bool) -> str:
    """Begin or end a maintenance window of `host`; raises NotImplementedError."""
    LOG.warning("Maintenance of host %s: %s", host, "on" if mode else "off")
    return compute.driver.maintenance_mode(host, is_on=bool(mode))


def set_host_enabled(host: ComputeHost, context: RequestContext, *, enabled: bool) -> str:
    """Let schedulers choose this host, or keep them off; returns "enabled" or "disabled".

    What placement does not hear of it now it is told by the next audit.
    """
    host.tracker.set_disabled(context, not enabled)
    return "enabled" if enabled else "disabled"
