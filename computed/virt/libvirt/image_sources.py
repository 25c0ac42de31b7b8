"""Images as the storage room fetches them, out of whatever image service the agent has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from computed.virt.libvirt.storage.download import ImageSource

if TYPE_CHECKING:
    from computed.virt.collaborators import Collaborators


class ImageSources:
    """Glance, or the images of the one-host cloud."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._collaborators = collaborators

    def source_of(self, context: Any, image_id: str) -> ImageSource:
        """The image as something to be fetched; its metadata are read now, its bytes when they are needed.

        Raises ImageNotFound, ImageNotAuthorized, ImageBadRequest, GlanceConnectionFailed.
        """
        image = self._collaborators.show_image(context, image_id)

        def read(offset: int) -> Iterator[bytes]:
            return self._collaborators.download_image(context, image_id, offset)

        return ImageSource.of(image, read)
