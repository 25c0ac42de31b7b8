"""Questions and orders about the host itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from computed import errors

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

DISABLED_TRAIT: Final = "COMPUTE_STATUS_DISABLED"
_ATTEMPTS: Final = 4


def get_host_uptime(host: ComputeHost, context: RequestContext) -> str:
    """How long the host has been up, in the words of uptime(1)."""
    return host.driver.host_uptime()


def set_host_enabled(host: ComputeHost, context: RequestContext, *, enabled: bool) -> str:
    """Let schedulers choose this host, or keep them off; returns "enabled" or "disabled".

    A trait on the root providers says so to placement. Raises placement's errors.
    """
    for uuid in host.driver.node_uuids().values():
        _set_trait(host, context, uuid, is_wanted=not enabled)
    return "enabled" if enabled else "disabled"


def _set_trait(host: ComputeHost, context: RequestContext, uuid: str, *, is_wanted: bool) -> None:
    """Put the trait on a provider or take it off; another writer may come between, then once more."""
    for attempt in range(1, _ATTEMPTS + 1):
        traits, generation = host.placement.traits(context, uuid)
        wanted = traits | {DISABLED_TRAIT} if is_wanted else traits - {DISABLED_TRAIT}
        if wanted == traits:
            return
        try:
            host.placement.put_traits(context, uuid, wanted, generation)
        except errors.ResourceProviderUpdateConflict:
            if attempt == _ATTEMPTS:
                raise
        else:
            return
