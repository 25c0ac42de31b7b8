"""Ports that ask for bandwidth, the providers that network agents make of it, and who hands it out."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from computed import objects
from computed.embedded.servers import user_context
from tests.functional.cloud import HOST, Cloud
from tests.functional.control_plane import ControlPlane

BANDWIDTH = "CUSTOM_BANDWIDTH"
TRAIT = "CUSTOM_PHYSNET0"
GROUP = "aaaaaaaa-5555-4000-8000-000000000001"
WANTED = {BANDWIDTH: 300}
QOS = {
    "request_groups": [{"id": GROUP, "resources": WANTED, "required": [TRAIT]}],
    "same_subtree": [GROUP],
}


def network_agent(cloud: Cloud, host: str) -> str:
    """The provider that a network agent of a host makes, with bandwidth for two such ports; its uuid."""
    placement, context = cloud.embedded.placement, user_context()
    (node,) = cloud.rows("ComputeNode", host=host)
    uuid = str(uuids.uuid4())
    with cloud.uncounted():
        child = placement.create_provider(context, uuid, f"{host}:agent", node["uuid"])
        placement.ensure_resource_class(context, BANDWIDTH)
        placement.ensure_trait(context, TRAIT)
        amounts = {"total": 700, "reserved": 0, "min_unit": 1, "max_unit": 700, "step_size": 1}
        inventories = {BANDWIDTH: {**amounts, "allocation_ratio": 1.0}}
        generation = placement.put_inventories(context, uuid, inventories, child.generation)
        placement.put_traits(context, uuid, [TRAIT], generation)
    return uuid


class BandwidthRole(ControlPlane):
    """Beside room for the flavor it claims bandwidth for one port, and says in the request spec who serves
    it, as the conductor does; `chosen` None: nobody was chosen, as in what the API sends with a revert."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.agents = {host: network_agent(cloud, host) for host in cloud.agents}
        self.chosen: str | None = None

    def boot(self) -> tuple[str, str]:
        """A server on the first host, with such a port; both ids."""
        (uuid,) = self.cloud.boot(host=HOST)
        port_id = self.cloud.embedded.network.create_port(resource_request=QOS)
        asked = {"network_id": None, "port_id": port_id, "requested_ip": None, "tag": None}
        instance = self.instance(uuid, user_context())
        self.cloud.rpc.call("attach_interface", instance=instance, **asked)
        self.cloud.settle()
        assert self.serving(port_id) == (HOST, self.agents[HOST])
        return uuid, port_id

    def claim(self, uuid: str, host: str, size: Any, *, beside: bool = False) -> None:
        super().claim(uuid, host, size, beside=beside)
        self.chosen = self.agents[host]
        with self._uncounted():
            more = {self.chosen: {"resources": WANTED}}
            self.cloud.embedded.placement.add_resources(user_context(), uuid, more)

    def request_spec(self, uuid: str) -> Any:
        spec = super().request_spec(uuid)
        group = objects.RequestGroup(
            requester_id=GROUP,
            resources=WANTED,
            required_traits={TRAIT},
            provider_uuids=[self.chosen] if self.chosen else [],
        )
        spec.requested_resources = [group]
        return spec

    def serving(self, port_id: str) -> tuple[str, str]:
        """The host that the port is bound to, and the provider that its profile names."""
        (port,) = self.cloud.rows("Port", uuid=port_id)
        return port["host"], port["profile"]["allocation"][GROUP]

    def lose_binding(self, port_id: str) -> None:
        """As when the network agent of its host cannot serve the port any more; its profile stays."""
        with self.cloud.embedded.store.transaction() as records:
            row = records.first("Port", uuid=port_id)
            assert row is not None
            records.update("Port", row, {"host": None})

    def bandwidth(self, consumer: str) -> dict[str, int]:
        """Provider → the bandwidth that a server or a migration holds of it."""
        held = self.cloud.allocations(consumer)
        return {uuid: said[BANDWIDTH] for uuid, said in held.items() if BANDWIDTH in said}
