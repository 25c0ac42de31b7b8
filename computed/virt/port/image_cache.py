"""The images that a driver keeps on its host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


class ImageCachePort:
    """A cache of images; a driver has one if its capability `has_imagecache` says so."""

    def cache_image(self, context: Any, image_id: str, read: Callable[[int], Iterator[bytes]]) -> bool:
        """Have the image in the cache before somebody needs it; False when it was there already.

        `read` gives the image's bytes from an offset on, in chunks. Raises what `read` raises, and
        NotImplementedError when images cannot be fetched beforehand.
        """
        raise NotImplementedError

    def manage_image_cache(self, context: Any, instances: Iterable[Any]) -> None:
        """Clean the cache. `instances` are all that may use it: those of every host with the same storage."""
