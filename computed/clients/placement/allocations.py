"""Placement's allocations: which consumer (instance or migration) holds what of which provider."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from computed import errors
from computed.clients.placement.providers import ProviderCalls
from computed.clients.placement.transport import problem

Held = Mapping[str, Mapping[str, Mapping[str, int]]]

ATTEMPTS = 4
"""How often a request is sent that only lost a race inside placement (service.json, client_retries)."""


@dataclass(frozen=True, slots=True)
class ProviderAllocations:
    """Who holds what of one provider: consumer uuid → resource class → amount; and its generation."""

    consumers: Mapping[str, Mapping[str, int]]
    generation: int


class AllocationCalls(ProviderCalls):
    """Requests about allocations. Besides the errors named each raises PlacementAPIConnectFailure."""

    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def get_allocations(self, context: Any, consumer_uuid: str) -> dict[str, Any]:
        """What a consumer holds; one request.

        The answer of GET /allocations/{consumer}: `allocations` (provider uuid → `resources`, `generation`),
        and unless that is empty `consumer_generation`, `project_id`, `user_id`.
        Raises ConsumerAllocationRetrievalFailed.
        """
        response = self.send(context, "GET", f"/allocations/{consumer_uuid}", microversion="1.28")
        if response.status_code != 200:
            raise errors.ConsumerAllocationRetrievalFailed(consumer_uuid=consumer_uuid, error=response.text)
        body: dict[str, Any] = response.json()
        return body

    def provider_allocations(self, context: Any, provider_uuid: str) -> ProviderAllocations:
        """Everything that is held of one provider; one request, however many the consumers.

        Raises ResourceProviderNotFound, ResourceProviderAllocationRetrievalFailed.
        """
        response = self.send(context, "GET", f"/resource_providers/{provider_uuid}/allocations")
        if response.status_code == 404:
            raise errors.ResourceProviderNotFound(name_or_uuid=provider_uuid)
        if response.status_code != 200:
            raise errors.ResourceProviderAllocationRetrievalFailed(rp_uuid=provider_uuid, error=response.text)
        body = response.json()
        consumers = {uuid: held["resources"] for uuid, held in body["allocations"].items()}
        return ProviderAllocations(consumers, body["resource_provider_generation"])

    def delete_allocations(self, context: Any, consumer_uuid: str) -> bool:
        """Take everything from a consumer; one request. False when it held nothing.

        Raises AllocationDeleteFailed.
        """
        response = self.send(context, "DELETE", f"/allocations/{consumer_uuid}")
        if response.status_code in (204, 404):
            return bool(response.status_code == 204)
        raise errors.AllocationDeleteFailed(consumer_uuid=consumer_uuid, error=response.text)

    def put_allocations(self, context: Any, consumer_uuid: str, body: Mapping[str, Any]) -> None:
        """Replace what a consumer holds; `body` has the shape that get_allocations returns.

        Races inside placement are tried again. Raises AllocationUpdateFailed when the consumer changed
        since its generation was read, or when placement refuses.
        """
        path = f"/allocations/{consumer_uuid}"
        status, detail = self._write(context, "PUT", path, body)
        if status != 204:
            raise errors.AllocationUpdateFailed(consumer_uuid=consumer_uuid, error=detail)

    def move_allocations(self, context: Any, source_uuid: str, target_uuid: str) -> None:
        """Give all that one consumer holds to another, in one transaction; three requests.

        What the target held before is replaced. When the source holds nothing and the target something,
        the move has happened already. Raises ConsumerAllocationRetrievalFailed, AllocationMoveFailed.
        """
        source = self.get_allocations(context, source_uuid)
        target = self.get_allocations(context, target_uuid)
        if not source["allocations"]:
            if target["allocations"]:
                return
            raise _not_moved(source_uuid, target_uuid, "the source holds nothing")
        owner = {key: source[key] for key in ("project_id", "user_id")}
        body = {
            source_uuid: {
                "allocations": {},
                "consumer_generation": source["consumer_generation"],
                **owner,
            },
            target_uuid: {
                "allocations": source["allocations"],
                "consumer_generation": target.get("consumer_generation"),
                **owner,
            },
        }
        status, detail = self._write(context, "POST", "/allocations", body)
        if status != 204:
            raise _not_moved(source_uuid, target_uuid, detail)

    def remove_tree_from_allocations(self, context: Any, consumer_uuid: str, root_uuid: str) -> bool:
        """Take from a consumer what it holds of the providers in one tree; False when that is nothing.

        Raises ConsumerAllocationRetrievalFailed, ResourceProviderRetrievalFailed, AllocationUpdateFailed.
        """
        body = self.get_allocations(context, consumer_uuid)
        if not body["allocations"]:
            return False
        tree = {provider.uuid for provider in self.providers_in_tree(context, root_uuid)}
        kept = {uuid: held for uuid, held in body["allocations"].items() if uuid not in tree}
        if len(kept) == len(body["allocations"]):
            return False
        self.put_allocations(context, consumer_uuid, {**body, "allocations": kept})
        return True

    def add_resources(self, context: Any, consumer_uuid: str, more: Held) -> None:
        """Let a consumer that holds something hold more: provider uuid → {"resources": {class: amount}}.

        Raises ConsumerAllocationRetrievalFailed, AllocationUpdateFailed (there is no room, or no consumer).
        """

        def add(holds: dict[str, Any]) -> dict[str, Any]:
            if not holds:
                raise errors.AllocationUpdateFailed(consumer_uuid=consumer_uuid, error="it holds nothing")
            changed = dict(holds)
            for uuid, wanted in more.items():
                had = holds.get(uuid, {"resources": {}})["resources"]
                changed[uuid] = {"resources": _sum(had, wanted["resources"], 1)}
            return changed

        self._change(context, consumer_uuid, add)

    def remove_resources(self, context: Any, consumer_uuid: str, held: Held) -> None:
        """Take part of what a consumer holds from it: provider uuid → {"resources": {class: amount}}.

        Raises ConsumerAllocationRetrievalFailed, AllocationUpdateFailed.
        """

        def remove(holds: dict[str, Any]) -> dict[str, Any]:
            return {
                uuid: {"resources": left}
                for uuid, had in holds.items()
                if (left := _sum(had["resources"], held.get(uuid, {}).get("resources", {}), -1))
            }

        self._change(context, consumer_uuid, remove)

    def _change(
        self,
        context: Any,
        consumer_uuid: str,
        change: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> None:
        """Replace what a consumer holds by `change` of it, read and written again when somebody else has
        changed it in between."""
        for attempt in range(1, ATTEMPTS + 1):
            body = self.get_allocations(context, consumer_uuid)
            changed = change(body["allocations"])
            if changed == body["allocations"]:
                return
            try:
                self.put_allocations(context, consumer_uuid, {**body, "allocations": changed})
            except errors.AllocationUpdateFailed:
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def _write(self, context: Any, method: str, path: str, body: Any) -> tuple[int, str]:
        """Status and detail of a write, tried again while only a provider's generation is in the way."""
        status, detail = 0, ""
        for attempt in range(ATTEMPTS):
            self.sleep(random.uniform(0, 2 * attempt))
            response = self.send(context, method, path, microversion="1.28", body=body)
            status = int(response.status_code)
            code, detail = ("", "") if status == 204 else problem(response)
            lost_race = code == "placement.concurrent_update" and "consumer generation" not in detail
            if not lost_race:
                break
        return status, detail


def _not_moved(source_uuid: str, target_uuid: str, reason: str) -> errors.AllocationMoveFailed:
    return errors.AllocationMoveFailed(source_consumer=source_uuid, target_consumer=target_uuid, error=reason)


def _sum(had: Mapping[str, int], more: Mapping[str, int], sign: int) -> dict[str, int]:
    """`had` and `sign` times `more` of each resource class, without those of which nothing is left."""
    names = dict.fromkeys((*had, *more))
    sums = {name: had.get(name, 0) + sign * more.get(name, 0) for name in names}
    return {name: amount for name, amount in sums.items() if amount > 0}
