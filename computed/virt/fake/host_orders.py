"""Orders to a host that only exists in memory: obeyed by saying so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from computed.virt.fake.memory import Memory
from computed.virt.fake.variants import Variant
from computed.virt.port.host_orders import HostOrdersPort
from computed.virt.port.image_cache import ImageCachePort


class FakeHostOrders(Memory, HostOrdersPort):
    """The host does nothing and answers as if it had."""

    def power_action(self, action: str) -> str:
        with self._orders.around("power_action"):
            return action

    def maintenance_mode(self, host: str, *, is_on: bool) -> str:
        with self._orders.around("maintenance_mode"):
            return "on_maintenance" if is_on else "off_maintenance"


class FakeImageCache(Memory, ImageCachePort):
    """Remembers, as long as the process lives, which images it has read to their ends."""

    _variant: Variant
    _cached_images: set[str]

    def cache_image(self, context: Any, image_id: str, read: Callable[[int], Iterator[bytes]]) -> bool:
        if not self._variant.caches_images:
            raise NotImplementedError("this fake driver fetches no images beforehand")
        with self._orders.around("cache_image"):
            if image_id in self._cached_images:
                return False
            for _ in read(0):
                pass
            self._cached_images.add(image_id)
            return True

    def manage_image_cache(self, context: Any, instances: Iterable[Any]) -> None:
        with self._orders.around("manage_image_cache"):
            pass
