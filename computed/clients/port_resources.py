"""What ports ask of placement (bandwidth, packet rate), and who serves it.

Neutron tells it as `resource_request` of a port: in the older form one set of resources, in the newer one
`request_groups` and `same_subtree`. The port's binding profile names the providers under `allocation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Providers = Mapping[str, Sequence[str]]
"""Request group id (in the older form the port's) → uuids of the providers that serve it."""


@dataclass(frozen=True, slots=True)
class ResourceGroup:
    """Resources that one provider must have all of, with `required` traits."""

    id: str
    resources: Mapping[str, int]
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PortResources:
    """Everything that one port asks of placement; the groups `same_subtree` are to be close together."""

    port_id: str
    groups: tuple[ResourceGroup, ...]
    same_subtree: tuple[str, ...] = ()


FindProviders = Callable[[PortResources], Providers]
"""Makes room in placement for a port and says who serves it."""


def resources_of(port: Mapping[str, Any]) -> PortResources | None:
    """What a port asks of placement; None when nothing."""
    request = port.get("resource_request") or {}
    if not request.get("request_groups", request):
        return None
    told = request.get("request_groups")
    if told is None:
        told = [{**request, "id": port["id"]}]
    groups = [
        ResourceGroup(group["id"], dict(group.get("resources") or {}), tuple(group.get("required") or ()))
        for group in told
    ]
    return PortResources(port["id"], tuple(groups), tuple(request.get("same_subtree") or ()))


def providers_for(port: Mapping[str, Any], providers: Providers | FindProviders | None) -> Providers:
    """Who serves the port; asked for only when it asks for anything."""
    if not callable(providers):
        return providers or {}
    wanted = resources_of(port)
    return providers(wanted) if wanted is not None else {}


def held_by(port: Mapping[str, Any]) -> dict[str, dict[str, dict[str, int]]]:
    """What placement holds for a bound port: provider uuid → {"resources": {class: amount}}."""
    wanted = resources_of(port)
    allocation = (port.get("binding:profile") or {}).get("allocation")
    if wanted is None or not allocation:
        return {}
    if isinstance(allocation, str):
        return {allocation: {"resources": dict(wanted.groups[0].resources)}}
    held: dict[str, dict[str, dict[str, int]]] = {}
    for group in wanted.groups:
        resources = held.setdefault(allocation[group.id], {"resources": {}})["resources"]
        for name, amount in group.resources.items():
            resources[name] = resources.get(name, 0) + amount
    return held
