"""What a driver says of its host: nodes, resources, inventories, traits, facts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from computed.virt import capabilities
from computed.virt.specs import HostCpuTimes, Inventory, LifecycleEvent, NodeResources


class HostPort(ABC):
    """The host side of a driver.

    Every method may raise `errors.HypervisorUnavailable`: the answer is then unknown, and unknown is
    never "none". An answer that is returned is complete.
    """

    can_adopt_nodes = False
    """Whether the nodes have no identity of their own and `adopt_node` may give them one."""

    stopped_event_delay_seconds = 0.0
    """How long a guest that has stopped may take to show that it was a reboot; the event is not believed
    before (contract: virt_driver.json, lifecycle_rules: 15 for libvirt)."""

    @property
    @abstractmethod
    def capabilities(self) -> Mapping[str, bool]:
        """Capability flags by nova's name (`supports_multiattach`, ...), contract virt_driver.json."""

    @abstractmethod
    def init_host(self, host: str) -> None:
        """Make the driver ready on `host`; called once at start, before anything else."""

    @abstractmethod
    def cleanup_host(self, host: str) -> None:
        """Let go of everything at shutdown; guests keep running."""

    @abstractmethod
    def node_uuids(self) -> dict[str, str]:
        """Node names of this host → compute node uuid; complete, or an error."""

    def adopt_node(self, node: str, node_uuid: str) -> None:
        """Take the identity that the records have for `node`. Only a driver whose nodes have no identity
        of their own can; for the others a node of another uuid is another node: NotImplementedError."""
        raise NotImplementedError

    @abstractmethod
    def node_resources(self, node: str) -> NodeResources:
        """The totals and facts of one node."""

    @abstractmethod
    def node_inventories(self, node: str) -> dict[str, dict[str, Inventory]]:
        """Provider name → resource class → inventory. The node's own name is the root provider; other
        names are its children. Totals only: ratios and reserved amounts come from the configuration."""

    @abstractmethod
    def node_traits(self, node: str) -> frozenset[str]:
        """Traits of the root provider that follow from capabilities and hardware."""

    def owned_traits(self) -> frozenset[str]:
        """Traits that nobody but this driver decides about: those of them that `node_traits` does not name
        are taken from the root provider. Every other trait that somebody put there stays."""
        return capabilities.OWNED_TRAITS

    def owns_provider(self, node: str, name: str) -> bool:
        """Whether a child provider of this name was made for this driver. One that `node_inventories` no
        longer names is then deleted; the children that other services made stay."""
        return False

    @abstractmethod
    def host_ip(self) -> str:
        """The address other hosts reach this one by."""

    @abstractmethod
    def host_uptime(self) -> str:
        """Text in the form of uptime(1)."""

    def host_cpu_times(self) -> HostCpuTimes:
        """What the host's processors have done. Raises NotImplementedError when the driver does not know."""
        raise NotImplementedError

    @abstractmethod
    def on_lifecycle_event(self, callback: Callable[[LifecycleEvent], None] | None) -> None:
        """Register who is told of events; None unregisters."""

    def volume_connector(self, instance: Any) -> dict[str, Any]:
        """Connector facts for the block storage service (ip, host, initiator...)."""
        raise NotImplementedError
