"""What an instance remembers of being shelved: since when, from which host, with which image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oslo_utils import timeutils

from computed.steps import images

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

SHELVED_AT: Final = "shelved_at"
_IMAGE: Final = "shelved_image_id"
_HOST: Final = "shelved_host"


def mark(host: ComputeHost, instance: Any, image_id: str | None) -> None:
    """Write into the instance since when, where and with which image it is shelved; the caller saves."""
    instance.system_metadata[SHELVED_AT] = timeutils.utcnow().isoformat()
    instance.system_metadata[_IMAGE] = image_id
    instance.system_metadata[_HOST] = host.name


def unmark(instance: Any) -> str | None:
    """Take what `mark` wrote out again; the caller saves, and then removes the image that is returned."""
    for key in (SHELVED_AT, _HOST):
        instance.system_metadata.pop(key, None)
    image_id: str | None = instance.system_metadata.pop(_IMAGE, None)
    return image_id


def image_of(instance: Any) -> str | None:
    """The image that the instance was shelved with, None if there is none."""
    image_id: str | None = instance.system_metadata.get(_IMAGE)
    return image_id


def remove_image(host: ComputeHost, context: Any, image_id: str | None) -> None:
    """The instance lives from its own disks again: nobody needs the image it was shelved with."""
    if image_id is not None:
        images.remove(host, context, image_id)
