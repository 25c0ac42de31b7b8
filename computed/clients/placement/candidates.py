"""Placement's allocation candidates: who could serve what a port asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from computed import errors
from computed.clients.placement.transport import Transport
from computed.clients.port_resources import PortResources, ResourceGroup

_MICROVERSION = "1.36"
"""The first with same_subtree (service.json)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to serve a port: what to allocate, and which providers serve which of its groups."""

    allocations: Mapping[str, Mapping[str, Mapping[str, int]]]
    providers: Mapping[str, Sequence[str]]


class CandidateCalls(Transport):
    """Requests about candidates. Besides the errors named each raises PlacementAPIConnectFailure."""

    def find_candidate(self, context: Any, wanted: PortResources, root_uuid: str) -> Candidate | None:
        """One way to serve a port from the providers below `root_uuid`; None when there is no room.

        Raises AllocationUpdateFailed when placement refuses the question.
        """
        query: list[tuple[str, str]] = [("limit", "1")]
        for group in wanted.groups:
            query += _of_group(group, root_uuid)
        if len(wanted.groups) > 1:
            query.append(("group_policy", "none"))
        if wanted.same_subtree:
            query.append(("same_subtree", ",".join(_suffix(group_id) for group_id in wanted.same_subtree)))
        path = f"/allocation_candidates?{urlencode(query)}"
        response = self.send(context, "GET", path, microversion=_MICROVERSION)
        if response.status_code != 200:
            raise errors.AllocationUpdateFailed(consumer_uuid=wanted.port_id, error=response.text)
        found = response.json()["allocation_requests"]
        if not found:
            return None
        mappings = found[0]["mappings"]
        providers = {group.id: mappings[_suffix(group.id)] for group in wanted.groups}
        return Candidate(found[0]["allocations"], providers)


def _suffix(group_id: str) -> str:
    return f"_{group_id}"


def _of_group(group: ResourceGroup, root_uuid: str) -> list[tuple[str, str]]:
    suffix = _suffix(group.id)
    resources = ",".join(f"{name}:{amount}" for name, amount in sorted(group.resources.items()))
    query = [(f"resources{suffix}", resources), (f"in_tree{suffix}", root_uuid)]
    if group.required:
        query.append((f"required{suffix}", ",".join(group.required)))
    return query
