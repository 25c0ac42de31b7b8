"""The host side of the driver: the node, what it has, its events."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from computed.lib.offload import offload
from computed.virt import uptime
from computed.virt.capabilities import OWNED_TRAITS, traits_of
from computed.virt.libvirt import connector, host_flags
from computed.virt.libvirt.engine import Engine, LibvirtPart
from computed.virt.libvirt.events import STOPPED_EVENT_DELAY_SECONDS
from computed.virt.libvirt.inventory import GIB
from computed.virt.port.host import HostPort
from computed.virt.specs import GuestState, HostCpuTimes, Inventory, LifecycleEvent, NodeResources

if TYPE_CHECKING:
    from oslo_config import cfg


class LibvirtHostSide(LibvirtPart, HostPort):
    """See HostPort; a libvirt host has one node, which is called as libvirt calls the host."""

    _conf: cfg.ConfigOpts

    stopped_event_delay_seconds = STOPPED_EVENT_DELAY_SECONDS

    @property
    def capabilities(self) -> Mapping[str, bool]:
        """Those that the host decides are off until `init_host`."""
        engine: Engine | None = getattr(self, "_engine", None)
        return engine.host.flags if engine is not None else host_flags.of(self._conf, None)

    def node_uuids(self) -> dict[str, str]:
        """The one node."""
        return {self._engine.host.node_name(): self._engine.host.node_uuid()}

    def node_resources(self, node: str) -> NodeResources:
        """Three calls of libvirt, however many guests there are."""
        return self._engine.host.resources(node)

    def node_inventories(self, node: str) -> dict[str, dict[str, Inventory]]:
        """Two calls of libvirt."""
        return {node: self._engine.host.inventories(kept_disk_gib=self._image_cache_gib())}

    def _image_cache_gib(self) -> int:
        """How much disk the image cache has for itself, rounded up, if the operator wants that known."""
        if not self._conf.workarounds.reserve_disk_resource_for_image_cache:
            return 0
        return math.ceil(offload(self._engine.cache.disk_usage_bytes) / GIB)

    def node_traits(self, node: str) -> frozenset[str]:
        """What the host's processor, QEMU and the options make possible."""
        found = {trait for trait, is_there in self._engine.host.traits().items() if is_there}
        return traits_of(self.capabilities) | found

    def owned_traits(self) -> frozenset[str]:
        """Also those that a processor or a QEMU which is exchanged takes away."""
        return OWNED_TRAITS | frozenset(self._engine.host.traits())

    def host_ip(self) -> str:
        """As configured."""
        return str(self._conf.my_ip)

    def host_uptime(self) -> str:
        """That of the kernel."""
        return uptime.read()

    def host_cpu_times(self) -> HostCpuTimes:
        """Two calls of libvirt."""
        return self._engine.host.cpu_times()

    def on_lifecycle_event(self, callback: Callable[[LifecycleEvent], None] | None) -> None:
        """Told in the connection's own thread."""
        self._engine.events.on_lifecycle(callback)

    def volume_connector(self, instance: Any) -> dict[str, Any]:
        """What an ordinary user may read of it."""
        return connector.read(self._conf)

    def states(self) -> dict[str, GuestState]:
        """One call of libvirt."""
        return self._engine.host.states()
