"""What ports ask of placement (bandwidth, packet rate), and who serves it.

Neutron tells it as `resource_request` of a port: in the older form one set of resources, in the newer one
`request_groups` and `same_subtree`. The port's binding profile names the providers under `allocation`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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


FindAllProviders = Callable[[Sequence[PortResources]], Providers]
"""Says who serves all the ports of an instance that ask for anything; whom nobody serves is left out."""


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


def providers_for_all(
    ports: Sequence[Mapping[str, Any]], providers: Providers | FindAllProviders | None
) -> Providers | None:
    """Who serves the ports, None when nothing is known; asked for only when one of them asks for anything."""
    if not callable(providers):
        return providers
    wanted = [found for port in ports if (found := resources_of(port)) is not None]
    return providers(wanted) if wanted else {}


def match(
    groups: Sequence[ResourceGroup],
    held: Mapping[str, Mapping[str, int]],
    traits: Mapping[str, Collection[str]],
) -> dict[str, list[str]] | None:
    """Which provider serves which group when all of them together hold `held` (provider uuid → resource
    class → amount); None when that cannot be. Of several ways any is right: placement does not keep which.
    """
    if not groups:
        return {}
    group, *others = groups
    for uuid, amounts in held.items():
        left = {name: amounts.get(name, 0) - amount for name, amount in group.resources.items()}
        if any(amount < 0 for amount in left.values()) or not set(group.required) <= set(traits[uuid]):
            continue
        found = match(others, {**held, uuid: {**amounts, **left}}, traits)
        if found is not None:
            return {group.id: [uuid], **found}
    return None


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
