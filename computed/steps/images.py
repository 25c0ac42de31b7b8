"""Images of an instance: filling one from its guest, and taking back one that came to nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import IMAGING_STATES, TaskState
from computed.steps.records import advance

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_EXTRACTING: Final[Mapping[str | None, str]] = {
    TaskState.IMAGE_SNAPSHOT: "snapshot_pending_upload",
    TaskState.IMAGE_BACKUP: "backup_pending_upload",
    TaskState.IMAGE_UPLOADING: "snapshot_upload_again",
    TaskState.SHELVING: "shelve_pending_upload",
    TaskState.SHELVING_IMAGE_UPLOADING: "shelve_upload_again",
}
"""The edge to walk when a driver begins to extract, by where the instance is; else that is said already."""
_UPLOADING: Final[Mapping[str | None, str]] = {
    TaskState.IMAGE_SNAPSHOT: "snapshot_uploading_at_once",
    TaskState.IMAGE_BACKUP: "backup_uploading_at_once",
    TaskState.IMAGE_PENDING_UPLOAD: "snapshot_uploading",
    TaskState.SHELVING: "shelve_uploading_at_once",
    TaskState.SHELVING_IMAGE_PENDING_UPLOAD: "shelve_uploading",
}
"""The edge to walk before an upload; from anywhere else the upload has been announced already."""


class InstanceImage:
    """Implements virt.port.snapshots.SnapshotTarget: an image that the API has made for an instance."""

    def __init__(self, host: ComputeHost, context: Any, instance: Any, image_id: str) -> None:
        self._host = host
        self._context = context
        self._instance = instance
        self.image_id = image_id

    def extracting(self) -> None:
        """See SnapshotTarget."""
        self._walk(_EXTRACTING.get(self._instance.task_state))

    def upload(self, disk_format: str, data: Iterable[bytes]) -> None:
        """See SnapshotTarget."""
        self._walk(_UPLOADING.get(self._instance.task_state))
        images = self._host.images
        images.update(self._context, self.image_id, _metadata(self._instance, disk_format))
        images.upload(self._context, self.image_id, data)

    def _walk(self, edge: str | None) -> None:
        if edge is not None:
            advance(self._host, self._instance, edge)


def _metadata(instance: Any, disk_format: str) -> dict[str, Any]:
    """What only the host knows of the image, in glance's words; its name and owner the API has written."""
    known = {
        "kernel_id": instance.kernel_id,
        "ramdisk_id": instance.ramdisk_id,
        "os_type": instance.os_type,
        "owner_id": instance.project_id,
        "image_location": "snapshot",
        "image_state": "available",
    }
    container = instance.system_metadata.get("image_container_format") or "bare"
    return {
        "disk_format": disk_format,
        "container_format": container,
        "properties": {key: value for key, value in known.items() if value},
    }


def remove(host: ComputeHost, context: Any, image_id: str, *, unless_active: bool = False) -> None:
    """Remove an image nobody is going to need; that it cannot be removed is logged and no error."""
    try:
        if unless_active and host.images.show(context, image_id)["status"] == "active":
            return
        host.images.delete(context, image_id)
    except errors.ImageNotFound:
        LOG.debug("Image %s is gone already", image_id)
    except Exception as failure:
        LOG.warning("Image %s was not removed, its owner may do it: %s", image_id, failure)


@contextmanager
def removed_on_error(host: ComputeHost, context: Any, instance: Any, image_id: str) -> Iterator[None]:
    """Remove the image when the block fails.

    When it gave way to another verb, that may be the same order, which came twice: then an image that is
    being made or is whole stays.
    """
    try:
        yield
    except errors.UnexpectedTaskStateError:
        if not _is_being_imaged(context, instance):
            remove(host, context, image_id, unless_active=True)
        raise
    except Exception:
        remove(host, context, image_id)
        raise


@contextmanager
def removed_unless_filled(host: ComputeHost, context: Any, image_id: str | None) -> Iterator[None]:
    """Remove the image when the block fails before it has its contents."""
    try:
        yield
    except Exception:
        if image_id is not None:
            remove(host, context, image_id, unless_active=True)
        raise


def _is_being_imaged(context: Any, instance: Any) -> bool:
    """Whether an image is being made of the instance right now; if that cannot be read, one may be."""
    try:
        record = objects.Instance.get_by_uuid(context, instance.uuid, expected_attrs=[])
    except errors.InstanceNotFound:
        return False
    except Exception:
        return True
    return record.task_state in IMAGING_STATES
