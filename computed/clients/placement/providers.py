"""Placement's resource providers: the tree, inventories, traits and aggregates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from computed import errors
from computed.clients.placement.transport import Transport, problem


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider as placement has it; the generation grows with every change of it or its allocations."""

    uuid: str
    name: str
    generation: int
    parent_uuid: str | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Provider:
        """From the JSON of a provider."""
        return cls(body["uuid"], body["name"], body["generation"], body.get("parent_provider_uuid"))


class ProviderCalls(Transport):
    """Requests about providers, with the microversions of service.json, placement.requests.

    Besides the errors named below each raises PlacementAPIConnectFailure, and those that name one provider
    raise ResourceProviderNotFound when placement has no such provider. An update takes the generation that
    the caller's knowledge is from and returns the new one; ResourceProviderUpdateConflict says that the
    knowledge is old.
    """

    def providers_in_tree(self, context: Any, uuid: str) -> list[Provider]:
        """The tree that holds `uuid`, parents first; empty when there is no such provider.

        Raises ResourceProviderRetrievalFailed.
        """
        response = self.send(context, "GET", f"/resource_providers?in_tree={uuid}", microversion="1.14")
        if response.status_code != 200:
            raise errors.ResourceProviderRetrievalFailed(uuid=uuid)
        return _parents_first([Provider.of(body) for body in response.json()["resource_providers"]])

    def provider(self, context: Any, uuid: str) -> Provider:
        """One provider. Raises ResourceProviderRetrievalFailed."""
        response = self.send(context, "GET", f"/resource_providers/{uuid}", microversion="1.14")
        _check_found(response, uuid)
        if response.status_code != 200:
            raise errors.ResourceProviderRetrievalFailed(uuid=uuid)
        return Provider.of(response.json())

    def create_provider(self, context: Any, uuid: str, name: str, parent_uuid: str | None = None) -> Provider:
        """Create a provider, or return the one that somebody else created meanwhile with this uuid.

        Raises ResourceProviderCreationFailed, also when another provider has the name.
        """
        body = {"uuid": uuid, "name": name}
        if parent_uuid is not None:
            body["parent_provider_uuid"] = parent_uuid
        response = self.send(context, "POST", "/resource_providers", microversion="1.20", body=body)
        if response.status_code == 200:
            return Provider.of(response.json())
        detail = problem(response)[1]
        if response.status_code == 409 and "name" not in detail.partition(":")[0]:
            return self.provider(context, uuid)
        raise errors.ResourceProviderCreationFailed(
            f"Resource provider {name} ({uuid}) was not created: {detail}", name=name
        )

    def delete_provider(self, context: Any, uuid: str) -> bool:
        """Delete a provider without children; False when there is none.

        Raises ResourceProviderInUse while it has allocations or children, ResourceProviderDeletionFailed.
        """
        response = self.send(context, "DELETE", f"/resource_providers/{uuid}")
        if response.status_code in (204, 404):
            return bool(response.status_code == 204)
        if response.status_code == 409:
            raise errors.ResourceProviderInUse(f"Provider {uuid} is in use: {response.text}")
        raise errors.ResourceProviderDeletionFailed(uuid=uuid)

    def inventories(self, context: Any, uuid: str) -> tuple[dict[str, dict[str, Any]], int]:
        """Resource class → inventory (total, reserved, min_unit, max_unit, step_size, allocation_ratio),
        and the generation. Raises ResourceProviderRetrievalFailed."""
        response = self.send(context, "GET", f"/resource_providers/{uuid}/inventories")
        _check_found(response, uuid)
        if response.status_code != 200:
            raise errors.ResourceProviderRetrievalFailed(uuid=uuid)
        body = response.json()
        return body["inventories"], body["resource_provider_generation"]

    def put_inventories(
        self, context: Any, uuid: str, inventories: Mapping[str, Mapping[str, Any]], generation: int
    ) -> int:
        """Replace all inventories. Custom resource classes must exist.

        Raises InventoryInUse when one that has allocations would go, ResourceProviderUpdateConflict,
        ResourceProviderUpdateFailed.
        """
        path = f"/resource_providers/{uuid}/inventories"
        body = {"resource_provider_generation": generation, "inventories": inventories}
        return self._put(context, path, body, microversion="1.26")

    def traits(self, context: Any, uuid: str) -> tuple[frozenset[str], int]:
        """The traits and the generation. Raises ResourceProviderTraitRetrievalFailed."""
        response = self.send(context, "GET", f"/resource_providers/{uuid}/traits", microversion="1.6")
        _check_found(response, uuid)
        if response.status_code != 200:
            raise errors.ResourceProviderTraitRetrievalFailed(uuid=uuid)
        body = response.json()
        return frozenset(body["traits"]), body["resource_provider_generation"]

    def put_traits(self, context: Any, uuid: str, traits: Iterable[str], generation: int) -> int:
        """Replace all traits; each must exist.

        Raises TraitRetrievalFailed when one does not, ResourceProviderUpdateConflict,
        ResourceProviderUpdateFailed.
        """
        path = f"/resource_providers/{uuid}/traits"
        body = {"resource_provider_generation": generation, "traits": sorted(traits)}
        return self._put(context, path, body, microversion="1.6")

    def aggregates(self, context: Any, uuid: str) -> tuple[frozenset[str], int]:
        """The uuids of the aggregates and the generation. Raises ResourceProviderAggregateRetrievalFailed."""
        response = self.send(context, "GET", f"/resource_providers/{uuid}/aggregates", microversion="1.19")
        _check_found(response, uuid)
        if response.status_code != 200:
            raise errors.ResourceProviderAggregateRetrievalFailed(uuid=uuid)
        body = response.json()
        return frozenset(body["aggregates"]), body["resource_provider_generation"]

    def put_aggregates(self, context: Any, uuid: str, aggregates: Iterable[str], generation: int) -> int:
        """Replace all aggregates. Raises ResourceProviderUpdateConflict, ResourceProviderUpdateFailed."""
        path = f"/resource_providers/{uuid}/aggregates"
        body = {"resource_provider_generation": generation, "aggregates": sorted(aggregates)}
        return self._put(context, path, body, microversion="1.19")

    def known_traits(self, context: Any, names: Collection[str]) -> frozenset[str]:
        """Those of `names` that placement knows. Raises TraitRetrievalFailed."""
        path = f"/traits?name=in:{','.join(sorted(names))}"
        response = self.send(context, "GET", path, microversion="1.6")
        if response.status_code != 200:
            raise errors.TraitRetrievalFailed(error=response.text)
        return frozenset(response.json()["traits"])

    def ensure_trait(self, context: Any, name: str) -> None:
        """Make a custom trait exist; one request. Raises TraitCreationFailed."""
        response = self.send(context, "PUT", f"/traits/{name}", microversion="1.6")
        if response.status_code not in (201, 204):
            raise errors.TraitCreationFailed(name=name, error=response.text)

    def ensure_resource_class(self, context: Any, name: str) -> None:
        """Make a custom resource class exist; one request. Raises InvalidResourceClass."""
        response = self.send(context, "PUT", f"/resource_classes/{name}", microversion="1.7")
        if response.status_code not in (201, 204):
            raise errors.InvalidResourceClass(resource_class=name)

    def _put(self, context: Any, path: str, body: Mapping[str, Any], *, microversion: str) -> int:
        response = self.send(context, "PUT", path, microversion=microversion, body=body)
        if response.status_code == 200:
            return int(response.json()["resource_provider_generation"])
        uuid = path.split("/")[2]
        _check_found(response, uuid)
        code, detail = problem(response)
        if code == "placement.inventory.inuse":
            raise errors.InventoryInUse(detail)
        if response.status_code == 409:
            generation = body["resource_provider_generation"]
            raise errors.ResourceProviderUpdateConflict(uuid=uuid, generation=generation, error=detail)
        if response.status_code == 400 and "traits" in body and "No such trait" in detail:
            raise errors.TraitRetrievalFailed(error=detail)
        raise errors.ResourceProviderUpdateFailed(url=path, error=detail)


def _check_found(response: Any, uuid: str) -> None:
    if response.status_code == 404:
        raise errors.ResourceProviderNotFound(name_or_uuid=uuid)


def _parents_first(providers: list[Provider]) -> list[Provider]:
    ordered: list[Provider] = []
    placed: set[str | None] = {None}
    present = {provider.uuid for provider in providers}
    waiting = list(providers)
    while waiting:
        ready = [each for each in waiting if each.parent_uuid in placed or each.parent_uuid not in present]
        ordered += ready
        placed |= {each.uuid for each in ready}
        waiting = [each for each in waiting if each not in ready]
        if not ready:
            # A circle is impossible in placement; still never spin on one.
            return ordered + waiting
    return ordered
