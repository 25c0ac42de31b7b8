"""The one-host scheduler: where placement says there is room, claimed there at once."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from computed import errors, objects
from computed.embedded.conductor.cells import CELL_UUID
from computed.embedded.store import Store

LOG = logging.getLogger(__name__)

_MICROVERSION = "1.36"
"""What the stock scheduler asks candidates and claims allocations with (contract: service.json)."""
_DISABLED_TRAIT = "COMPUTE_STATUS_DISABLED"
AVAILABILITY_ZONE = "nova"

Json = dict[str, Any]


class OneHostScheduler:
    """Chooses among the nodes of the host by placement's candidates alone.

    `adapter` is a keystoneauth1 Adapter on placement with the rights of an administrator.
    """

    def __init__(self, store: Store, adapter: Any, max_candidates: int = 100) -> None:
        self._store = store
        self._adapter = adapter
        self._limit = max_candidates

    def select(self, context: Any, spec: objects.RequestSpec) -> list[objects.Selection]:
        """Claim a node for the instance of `spec` and return it, followed by the alternatives.

        Raises NoValidHost when there is no room, and PlacementAPIConnectFailure.
        """
        candidates = self._candidates(context, spec)
        nodes = self._nodes()
        found = []
        for candidate in candidates:
            node = next((nodes[uuid] for uuid in candidate["allocations"] if uuid in nodes), None)
            if node is not None and (not spec.force_hosts or node["host"] in spec.force_hosts):
                found.append(_selection(node, candidate))
        while found:
            if self.claim(context, spec, found[0]):
                return found
            found.pop(0)
        raise errors.NoValidHost(reason=f"no node has room for {_described(resources_of(spec.flavor))}")

    def claim(self, context: Any, spec: objects.RequestSpec, selection: objects.Selection) -> bool:
        """Write the instance's allocation for `selection`, in place of any other; False if it is too late."""
        consumer = f"/allocations/{spec.instance_uuid}"
        known = self._ask(context, "GET", consumer).json()
        body = {
            **json.loads(selection.allocation_request),
            "consumer_generation": known.get("consumer_generation"),
            "project_id": spec.project_id,
            "user_id": spec.user_id,
        }
        body.pop("mappings", None)
        response = self._ask(context, "PUT", consumer, json=body)
        if response.status_code == 204:
            return True
        LOG.warning("Placement refused the allocation of %s: %s", spec.instance_uuid, response.text)
        return False

    def release(self, context: Any, instance_uuid: str) -> None:
        """Give the instance's allocation back, if it has one."""
        self._ask(context, "DELETE", f"/allocations/{instance_uuid}")

    def allocations(self, context: Any, instance_uuid: str) -> dict[str, Json]:
        """Provider → what the instance holds of it; empty when it holds nothing."""
        answer = self._ask(context, "GET", f"/allocations/{instance_uuid}").json()
        return dict(answer["allocations"])

    def inventories(self, context: Any, provider_uuid: str) -> dict[str, Json]:
        """Resource class → total, reserved, allocation_ratio, used of one provider; empty if unknown."""
        answer = self._ask(context, "GET", f"/resource_providers/{provider_uuid}/inventories")
        usages = self._ask(context, "GET", f"/resource_providers/{provider_uuid}/usages")
        if answer.status_code != 200 or usages.status_code != 200:
            return {}
        used = usages.json()["usages"]
        return {
            name: {**inventory, "used": used.get(name, 0)}
            for name, inventory in answer.json()["inventories"].items()
        }

    def _candidates(self, context: Any, spec: objects.RequestSpec) -> Sequence[Json]:
        wanted = resources_of(spec.flavor)
        query = ",".join(f"{name}:{amount}" for name, amount in sorted(wanted.items()))
        path = f"/allocation_candidates?resources={query}&required=!{_DISABLED_TRAIT}&limit={self._limit}"
        response = self._ask(context, "GET", path)
        if response.status_code != 200:
            raise errors.NoValidHost(reason=f"placement answers {response.status_code}: {response.text}")
        candidates: Sequence[Json] = response.json()["allocation_requests"]
        return candidates

    def _nodes(self) -> dict[str, Json]:
        with self._store.transaction() as records:
            return {node["uuid"]: node for node in records.find("ComputeNode")}

    def _ask(
        self, context: Any, method: str, path: str, *, microversion: str = _MICROVERSION, **body: Any
    ) -> Any:
        headers = {"X-OpenStack-Request-ID": context.global_id}
        return self._adapter.request(
            path, method, headers=headers, microversion=microversion, raise_exc=False, **body
        )


def resources_of(flavor: objects.Flavor) -> dict[str, int]:
    """What a server of this size takes, in the units of placement; amounts of zero are left out."""
    amounts = {
        "VCPU": flavor.vcpus,
        "MEMORY_MB": flavor.memory_mb,
        "DISK_GB": flavor.root_gb + flavor.ephemeral_gb + math.ceil(flavor.swap / 1024),
    }
    return {name: amount for name, amount in amounts.items() if amount}


def _selection(node: Mapping[str, Any], candidate: Json) -> objects.Selection:
    return objects.Selection(
        allocation_request=json.dumps({"allocations": candidate["allocations"]}),
        allocation_request_version=_MICROVERSION,
        availability_zone=AVAILABILITY_ZONE,
        cell_uuid=CELL_UUID,
        compute_node_uuid=node["uuid"],
        limits=None,
        nodename=node["hypervisor_hostname"],
        service_host=node["host"],
    )


def _described(amounts: Mapping[str, int]) -> str:
    return ", ".join(f"{amount} {name}" for name, amount in amounts.items())
