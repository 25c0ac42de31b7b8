"""What an operation may ask of an image service (glance, or a local directory)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol


class ImageService(Protocol):
    """Images and their bytes; metadata dictionaries have the shape of the `image` argument on the wire.

    Every method raises ImageNotFound, ImageNotAuthorized, ImageBadRequest, GlanceConnectionFailed.
    """

    def show(self, context: Any, image_id: str) -> dict[str, Any]:
        """Metadata of one image; raises ImageNotFound, ImageNotAuthorized, GlanceConnectionFailed."""

    def download(self, context: Any, image_id: str, *, offset: int = 0) -> Iterator[bytes]:
        """The bytes of one image from `offset` on, in chunks."""

    def delete(self, context: Any, image_id: str) -> None:
        """Remove one image; raises ImageDeleteConflict when it is in use."""

    def search(self, context: Any, properties: Mapping[str, str]) -> list[dict[str, Any]]:
        """Metadata of the images that have all these properties, newest first."""

    def update(self, context: Any, image_id: str, metadata: Mapping[str, Any]) -> None:
        """Add or replace metadata: base attributes by name, `properties` one by one; the others stay."""

    def upload(self, context: Any, image_id: str, data: Iterable[bytes]) -> None:
        """Give an image that has none its bytes, which makes it active; `data` is read once.

        Raises ImageQuotaExceeded."""
