"""What the nodes of a fake host have: the facts that the stock fake driver tells of itself (service.json)."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from computed.virt import node_identity
from computed.virt.fake.variants import Variant
from computed.virt.specs import HostCpuTimes, Inventory, NodeResources

if TYPE_CHECKING:
    from oslo_config import cfg

_CPU_INFO = json.dumps(
    {
        "arch": "x86_64",
        "model": "Nehalem",
        "vendor": "Intel",
        "features": ["pge", "clflush"],
        "topology": {"cores": 1, "threads": 1, "sockets": 4},
    }
)


CPU_TIMES = HostCpuTimes(
    user=26728850000000, kernel=5664160000000, idle=1592705190000000, iowait=6121490000000, frequency_mhz=800
)


class Nodes:
    """The nodes of one fake host: their names, their identities, what each has."""

    def __init__(self, conf: cfg.ConfigOpts, variant: Variant) -> None:
        self._conf = conf
        self._variant = variant
        self._host = conf.host
        self._adopted: dict[str, str] = {}
        self._own_identity: str | None = None

    def serve(self, host: str) -> None:
        """Whose nodes these are."""
        self._host = host

    def names(self) -> list[str]:
        """Node names. The stock driver calls the node of a host named "compute" otherwise than its host."""
        if self._conf.fake.nodes:
            return list(self._conf.fake.nodes)
        return ["fake-mini" if self._host == "compute" else self._host]

    def uuids(self) -> dict[str, str]:
        """Node name → uuid. The first node is who the identity file says; without one it is new, and
        stays the same as long as the process. The others' uuids follow from the first and their names."""
        if self._variant.uuid_from_name:
            return {name: str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) for name in self.names()}
        first, *others = self.names()
        identity = node_identity.read(self._conf) or self._adopted.get(first) or self._fresh_identity()
        found = {first: identity}
        for name in others:
            found[name] = self._adopted.get(name) or str(uuid.uuid5(uuid.UUID(identity), name))
        return found

    def adopt(self, node: str, node_uuid: str) -> None:
        """Take `node_uuid` for the identity of `node` (an identity file still goes before it)."""
        self._adopted[node] = str(uuid.UUID(node_uuid))

    def resources(self, node: str) -> NodeResources:
        """Totals and facts of a node."""
        total = self._totals()
        return NodeResources(
            hypervisor_hostname=node,
            uuid=self.uuids()[node],
            hypervisor_type="fake",
            hypervisor_version=1000,
            vcpus=total["VCPU"],
            memory_mib=total["MEMORY_MB"],
            disk_gib=total["DISK_GB"],
            cpu_info=_CPU_INFO,
            supported_instances=(("x86_64", "fake", "hvm"),),
            disk_available_least=0,
        )

    def inventories(self, node: str) -> dict[str, dict[str, Inventory]]:
        """Provider name → resource class → inventory; some variants have a child provider."""
        found = {node: {name: Inventory(total=total) for name, total in self._totals().items()}}
        if self._variant.child_resources:
            found[f"{node}-child"] = {
                name: Inventory(total=total) for name, total in self._variant.child_resources.items()
            }
        return found

    def _totals(self) -> dict[str, int]:
        told, variant = self._conf.fake, self._variant
        return {
            "VCPU": told.vcpus or variant.vcpus,
            "MEMORY_MB": told.memory_mib or variant.memory_mib,
            "DISK_GB": told.disk_gib or variant.disk_gib,
        }

    def _fresh_identity(self) -> str:
        if self._own_identity is None:
            self._own_identity = str(uuid.uuid4())
        return self._own_identity
