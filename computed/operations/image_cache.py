"""Fetching images to the host before somebody needs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def cache_images(host: ComputeHost, context: RequestContext, *, image_ids: Sequence[str]) -> dict[str, str]:
    """Have every image in the driver's cache; returns what became of each.

    "cached": it was fetched; "existing": it was there; "unsupported": the driver does not do that;
    "error": it could not be fetched, which does not stop the others.
    """
    return {image_id: _cache(host, context, image_id) for image_id in image_ids}


def _cache(host: ComputeHost, context: RequestContext, image_id: str) -> str:
    def read(offset: int) -> Iterator[bytes]:
        return host.images.download(context, image_id, offset=offset)

    try:
        return "cached" if host.driver.cache_image(context, image_id, read) else "existing"
    except NotImplementedError:
        LOG.warning("Image %s is not fetched: the driver cannot fetch images beforehand", image_id)
        return "unsupported"
    except Exception as error:
        LOG.error("Image %s could not be fetched for the cache: %s", image_id, error)
        return "error"
