"""What the agent asks of placement: providers, inventories, traits, aggregates, allocations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from computed.clients.keystone import adapter_for
from computed.clients.placement.allocations import AllocationCalls, ProviderAllocations
from computed.clients.placement.candidates import CandidateCalls
from computed.clients.placement.providers import Provider

if TYPE_CHECKING:
    from oslo_config import cfg

__all__ = ["PlacementClient", "Provider", "ProviderAllocations", "client_from"]


class PlacementClient(AllocationCalls, CandidateCalls):
    """The placement service. `PlacementClient(adapter)`, or `client_from(conf)` to log in when needed.

    Keeps no knowledge of its own between requests: `resources.provider_sync` has the cached tree.
    """


def client_from(conf: cfg.ConfigOpts) -> PlacementClient:
    """A client that logs in by section `[placement]` at its first request."""
    return PlacementClient(make_adapter=lambda: adapter_for(conf, "placement", admin=True))
