"""The records of the one-host cloud's volumes, and what users and tests do with them."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from computed import errors
from computed.embedded.answering import Answering
from computed.embedded.store import Fields, Records, Store

VOLUME = "Volume"
ATTACHMENT = "VolumeAttachment"
SNAPSHOT = "VolumeSnapshot"


class VolumeRecords(Answering):
    """Volumes, snapshots and attachments of the store; `requests` counts what was asked, by method."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.requests = self.by_method
        self.new_status = "available"
        """What a volume that is made becomes at once; a test sets "creating" and changes it later."""

    @contextmanager
    def answering(self, method: str) -> Iterator[Records]:
        """One request to the service: counted, made to fail if a test wants so, in one transaction."""
        self.asked(method)
        with self._store.transaction() as records:
            yield records

    # What users and tests do

    def add(self, size_gib: int = 1, **fields: Any) -> str:
        """Have a volume that is available; returns its id."""
        with self._store.transaction() as records:
            return str(insert_volume(records, {"size": size_gib, "status": "available", **fields})["uuid"])

    def add_snapshot(self, volume_id: str) -> str:
        """Have a snapshot of a volume; returns its id."""
        with self._store.transaction() as records:
            volume = existing(records, volume_id)
            fields = {"volume_id": volume_id, "status": "available", "size": volume["size"]}
            return str(records.insert(SNAPSHOT, {"uuid": str(uuids.uuid4()), **fields})["uuid"])

    def change(self, volume_id: str, **fields: Any) -> None:
        """Change a volume's record (status, size, migration_status, ...)."""
        with self._store.transaction() as records:
            records.update(VOLUME, existing(records, volume_id), fields)

    def row(self, volume_id: str) -> Fields:
        """The record of a volume; raises VolumeNotFound."""
        with self._store.transaction() as records:
            return existing(records, volume_id)

    def volume_ids(self) -> list[str]:
        """Every volume there is."""
        with self._store.transaction() as records:
            return [row["uuid"] for row in records.find(VOLUME)]

    def attachments_of(
        self, *, instance_uuid: str | None = None, volume_id: str | None = None
    ) -> list[Fields]:
        """Records of the attachments of an instance, of a volume, or all; oldest first."""
        given = {"instance_uuid": instance_uuid, "volume_id": volume_id}
        keys = {name: value for name, value in given.items() if value is not None}
        with self._store.transaction() as records:
            return records.find(ATTACHMENT, **keys)

    def snapshot_row(self, snapshot_id: str) -> Fields:
        """The record of a snapshot; raises SnapshotNotFound."""
        with self._store.transaction() as records:
            return existing_snapshot(records, snapshot_id)


def insert_volume(records: Records, fields: Mapping[str, Any]) -> Fields:
    """Add a volume."""
    defaults: Fields = {
        "uuid": str(uuids.uuid4()),
        "multiattach": False,
        "bootable": False,
        "volume_type": None,
        "availability_zone": None,
        "migration_status": None,
        "image_metadata": {},
    }
    return records.insert(VOLUME, {**defaults, **fields})


def existing(records: Records, volume_id: str) -> Fields:
    """A volume; raises VolumeNotFound."""
    row = records.first(VOLUME, uuid=volume_id)
    if row is None:
        raise errors.VolumeNotFound(volume_id=volume_id)
    return row


def existing_attachment(records: Records, attachment_id: str) -> Fields:
    """An attachment; raises VolumeAttachmentNotFound."""
    row = records.first(ATTACHMENT, uuid=attachment_id)
    if row is None:
        raise errors.VolumeAttachmentNotFound(attachment_id=attachment_id)
    return row


def existing_snapshot(records: Records, snapshot_id: str) -> Fields:
    """A snapshot; raises SnapshotNotFound."""
    row = records.first(SNAPSHOT, uuid=snapshot_id)
    if row is None:
        raise errors.SnapshotNotFound(snapshot_id=snapshot_id)
    return row
