"""What an operation may ask of a block storage service, be it cinder or the one-host cloud's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Holder:
    """One attachment that is in use, as its volume tells of it; of the host only an administrator hears."""

    attachment_id: str
    instance_uuid: str | None
    host: str | None


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume as the service has it; sizes in GiB, `status` in cinder's words (available, in-use, ...)."""

    id: str
    status: str
    size_gib: int
    availability_zone: str | None = None
    volume_type: str | None = None
    is_multiattach: bool = False
    is_bootable: bool = False
    migration_status: str | None = None
    service_uuid: str | None = None
    shares_targets: bool | None = None
    """Whether volumes of the service share connections (None: the service cannot say, True: lock around)."""
    image_metadata: Mapping[str, Any] = field(default_factory=dict)
    holders: tuple[Holder, ...] = ()


@dataclass(frozen=True, slots=True)
class VolumeSnapshot:
    """One snapshot of a volume."""

    id: str
    volume_id: str | None
    status: str
    size_gib: int


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A volume to be made: empty, of an image or of a snapshot."""

    size_gib: int | None
    name: str = ""
    description: str = ""
    volume_type: str | None = None
    availability_zone: str | None = None
    image_id: str | None = None
    snapshot_id: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment of a volume to an instance on a host.

    `connection_info` has the shape that nova keeps in block device mappings: driver_volume_type, data,
    status, instance, attached_at, detached_at, volume_id. It is empty for an attachment without connector.
    """

    id: str
    volume_id: str
    instance_uuid: str | None
    status: str | None
    connection_info: dict[str, Any] = field(repr=False)


class VolumeService(Protocol):
    """Volumes and their attachments (cinder API v3, attachments of microversion 3.44).

    Errors: VolumeNotFound, VolumeAttachmentNotFound, SnapshotNotFound, InvalidInput (the request is
    refused), InvalidVolume (the volume's state does not allow it), OverQuota, Forbidden,
    CinderAPIVersionNotAvailable, CinderConnectionFailed (no answer, or an answer with status 5xx).
    """

    def get(self, context: Any, volume_id: str) -> Volume:
        """One volume."""

    def get_snapshot(self, context: Any, snapshot_id: str) -> VolumeSnapshot:
        """One snapshot."""

    def create(self, context: Any, wanted: NewVolume) -> Volume:
        """Begin to make a volume; it is usable once its status is available."""

    def delete(self, context: Any, volume_id: str) -> None:
        """Begin to delete a volume that nobody is attached to."""

    def attachment_create(
        self,
        context: Any,
        volume_id: str,
        instance_uuid: str,
        *,
        connector: Mapping[str, Any] | None = None,
        mountpoint: str | None = None,
    ) -> Attachment:
        """Reserve a volume for an instance; with a `connector` connect it to that host, too."""

    def attachment_update(
        self, context: Any, attachment_id: str, connector: Mapping[str, Any], mountpoint: str | None = None
    ) -> Attachment:
        """Connect a reserved volume to the host of `connector`."""

    def attachment_complete(self, context: Any, attachment_id: str) -> None:
        """The guest has the volume: from now on it is in use."""

    def attachment_delete(self, context: Any, attachment_id: str) -> None:
        """Disconnect and give the volume back; an attachment that is gone already is no error."""

    def attachment_get(self, context: Any, attachment_id: str) -> Attachment:
        """One attachment with its current connection."""

    def attachments(self, context: Any, instance_uuid: str) -> list[Attachment]:
        """Every attachment that the service has for an instance, without their connections."""

    def roll_detaching(self, context: Any, volume_id: str) -> None:
        """detaching → in-use."""

    def migrate_volume_completion(
        self, context: Any, old_volume_id: str, new_volume_id: str, *, error: bool
    ) -> str:
        """Tell the end of a migration that the service began; returns the id the volume has from now on."""

    def update_snapshot_status(self, context: Any, snapshot_id: str, status: str) -> None:
        """Report on a snapshot that the compute takes or deletes (creating, deleting, error, ...)."""

    def reimage(self, context: Any, volume_id: str, image_id: str, *, is_reserved: bool) -> None:
        """Begin to overwrite a volume with an image (3.68); the event volume-reimaged tells the end."""

    def encryption(self, context: Any, volume_id: str) -> dict[str, Any]:
        """How the volume is encrypted: provider, cipher, key_size, control_location, encryption_key_id;
        empty for one that is not."""

    # Attachments from before microversion 3.44: mappings without attachment_id may still have them.

    def initialize_connection(
        self, context: Any, volume_id: str, connector: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Connect an old-style attachment to a host; returns its connection info."""

    def terminate_connection(self, context: Any, volume_id: str, connector: Mapping[str, Any]) -> None:
        """Disconnect an old-style attachment."""

    def detach(self, context: Any, volume_id: str, instance_uuid: str) -> None:
        """Give an old-style attachment back."""
