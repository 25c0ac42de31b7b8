"""What an operation may ask of an image service (glance, or a local directory)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


class ImageService(Protocol):
    """Read access to images; metadata dictionaries have the shape of the `image` argument on the wire."""

    def show(self, context: Any, image_id: str) -> dict[str, Any]:
        """Metadata of one image; raises ImageNotFound, ImageNotAuthorized, GlanceConnectionFailed."""

    def download(self, context: Any, image_id: str) -> Iterator[bytes]:
        """The bytes of one image, in chunks."""

    def delete(self, context: Any, image_id: str) -> None:
        """Remove one image; raises ImageNotFound, ImageNotAuthorized, GlanceConnectionFailed."""
