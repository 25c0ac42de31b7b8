"""The place of an instance that comes to be on this host: a build and an unshelving take it alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from computed.resources.claims import Claim
    from computed.steps.host import ComputeHost


def take_place(
    host: ComputeHost,
    instance: Any,
    nodename: str,
    allocations: Mapping[str, Any],
    limits: Any,
    bdms: Any,
) -> Claim:
    """Claim a place on the node in memory, and write it into the instance, which the caller saves.

    Raises ComputeResourcesUnavailable.
    """
    root = next((bdm for bdm in bdms if bdm.is_root), None)
    volume_backed = root.is_volume if root else None
    claim = host.tracker.instance_claim(instance, nodename, allocations, limits, volume_backed=volume_backed)
    claim.stamp(instance)
    return claim


def give_place_back(instance: Any, claim: Claim) -> None:
    """Let the place go, in memory and in the instance, which the caller saves."""
    claim.abort()
    claim.unstamp(instance)
