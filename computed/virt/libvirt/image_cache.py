"""The image cache as the port has it: filled beforehand, and aged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.storage.cache import mark_used
from computed.virt.libvirt.storage.cache_manager import AgingOptions, CacheManager, InUse
from computed.virt.port.image_cache import ImageCachePort

LOG = logging.getLogger(__name__)


class LibvirtImageCache(LibvirtPart, ImageCachePort):
    """`_base` on this host, or on storage that several hosts share."""

    def cache_image(self, context: Any, image_id: str, read: Callable[[int], Iterator[bytes]]) -> bool:
        cache = self._engine.cache
        if cache.has(image_id):
            mark_used(cache.paths.image(image_id))
            return False
        source = self._engine.images.source_of(context, image_id)
        cache.image(replace(source, read=read))
        return True

    def manage_image_cache(self, context: Any, instances: Iterable[Any]) -> None:
        options = self._engine.conf.image_cache
        aging = AgingOptions(
            is_removing=options.remove_unused_base_images,
            image_seconds=options.remove_unused_original_minimum_age_seconds,
            resized_seconds=options.remove_unused_resized_minimum_age_seconds,
        )
        cache = self._engine.cache
        removed = CacheManager(cache.paths, cache.locks, aging).run(InUse(images_of(instances)))
        if removed:
            LOG.info("%d files of the image cache were removed", len(removed))


def images_of(instances: Iterable[Any]) -> frozenset[str]:
    """The ids of the images that instances are made of; swap and ephemeral bases are known by their disks."""
    return frozenset(
        image_id
        for instance in instances
        for image_id in (instance.image_ref, instance.kernel_id, instance.ramdisk_id)
        if image_id
    )
