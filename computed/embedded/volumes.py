"""Volumes of the one-host cloud: records that walk through cinder's states, without any storage behind."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterable, Mapping
from typing import Any

from computed import errors
from computed.clients.volumes import Attachment, Holder, NewVolume, Volume, VolumeSnapshot
from computed.embedded.store import Fields, Records
from computed.embedded.volume_records import (
    ATTACHMENT,
    SNAPSHOT,
    VOLUME,
    VolumeRecords,
    existing,
    existing_attachment,
    existing_snapshot,
    insert_volume,
)

_HOST_SERVICE = str(uuids.UUID("5b5d8a1e-8c3f-4d0b-9a5e-6f7f0c6c2a11"))


class EmbeddedVolumes(VolumeRecords):
    """Implements clients.volumes.VolumeService on the records of the store."""

    # Volumes and snapshots

    def get(self, context: Any, volume_id: str) -> Volume:
        """One volume; raises VolumeNotFound."""
        with self.answering("get") as records:
            return _volume(existing(records, volume_id), records.find(ATTACHMENT, volume_id=volume_id))

    def get_snapshot(self, context: Any, snapshot_id: str) -> VolumeSnapshot:
        """One snapshot; raises SnapshotNotFound."""
        with self.answering("get_snapshot") as records:
            row = existing_snapshot(records, snapshot_id)
            return VolumeSnapshot(row["uuid"], row["volume_id"], row["status"], row["size"])

    def create(self, context: Any, wanted: NewVolume) -> Volume:
        """A new volume, in the status `new_status`; raises SnapshotNotFound."""
        with self.answering("create") as records:
            size = wanted.size_gib
            if wanted.snapshot_id is not None:
                size = size or existing_snapshot(records, wanted.snapshot_id)["size"]
            if size is None:
                raise errors.InvalidInput(reason="a volume needs a size")
            fields = {
                "size": size,
                "status": self.new_status,
                "name": wanted.name,
                "description": wanted.description,
                "volume_type": wanted.volume_type,
                "availability_zone": wanted.availability_zone,
                "bootable": bool(wanted.image_id or wanted.snapshot_id),
                "image_id": wanted.image_id,
                "snapshot_id": wanted.snapshot_id,
            }
            return _volume(insert_volume(records, fields))

    def delete(self, context: Any, volume_id: str) -> None:
        """Delete a volume; raises VolumeNotFound, InvalidInput when it is attached."""
        with self.answering("delete") as records:
            row = existing(records, volume_id)
            if records.find(ATTACHMENT, volume_id=volume_id) or row["status"] not in ("available", "error"):
                raise errors.InvalidInput(reason=f"volume {volume_id} is {row['status']}")
            records.purge(VOLUME, uuid=volume_id)

    def begin_detaching(self, context: Any, volume_id: str) -> None:
        """in-use → detaching; raises InvalidInput from another status."""
        with self.answering("begin_detaching") as records:
            _walk(records, volume_id, "in-use", "detaching")

    def roll_detaching(self, context: Any, volume_id: str) -> None:
        """detaching → in-use; nothing from another status, as cinder does."""
        with self.answering("roll_detaching") as records:
            row = existing(records, volume_id)
            if row["status"] == "detaching":
                records.update(VOLUME, row, {"status": "in-use"})

    def migrate_volume_completion(
        self, context: Any, old_volume_id: str, new_volume_id: str, *, error: bool
    ) -> str:
        """The old volume keeps its id and takes the new one's place, unless there was an error."""
        with self.answering("migrate_volume_completion") as records:
            old = existing(records, old_volume_id)
            new = existing(records, new_volume_id)
            if error:
                records.update(VOLUME, old, {"migration_status": "error"})
                return new_volume_id
            for attachment in records.find(ATTACHMENT, volume_id=new_volume_id):
                records.update(ATTACHMENT, attachment, {"volume_id": old_volume_id})
            changes = {"migration_status": "success", "size": new["size"]}
            records.update(VOLUME, old, changes)
            records.purge(VOLUME, uuid=new_volume_id)
            _settle(records, old_volume_id)
            return old_volume_id

    def update_snapshot_status(self, context: Any, snapshot_id: str, status: str) -> None:
        """Write a snapshot's status; raises SnapshotNotFound."""
        with self.answering("update_snapshot_status") as records:
            row = existing_snapshot(records, snapshot_id)
            records.update(SNAPSHOT, row, {"status": status, "progress": "90%"})

    def reimage(self, context: Any, volume_id: str, image_id: str, *, is_reserved: bool) -> None:
        """Write another image over a volume that is available, or reserved when that is said."""
        with self.answering("reimage") as records:
            row = existing(records, volume_id)
            if row["status"] not in ("available", "error", *(("reserved",) if is_reserved else ())):
                raise errors.InvalidInput(reason=f"volume {volume_id} is {row['status']}")
            records.update(VOLUME, row, {"image_id": image_id})

    def encryption(self, context: Any, volume_id: str) -> dict[str, Any]:
        """What the record has of it; nothing by default."""
        with self.answering("encryption") as records:
            return dict(existing(records, volume_id).get("encryption") or {})

    # Attachments

    def attachment_create(
        self,
        context: Any,
        volume_id: str,
        instance_uuid: str,
        *,
        connector: Mapping[str, Any] | None = None,
        mountpoint: str | None = None,
    ) -> Attachment:
        """Reserve, or with a connector connect; raises VolumeNotFound, InvalidInput when it is not free.

        A volume in use takes one more attachment for several instances if it is multi-attach, or for the
        instance that it has already (a move).
        """
        with self.answering("attachment_create") as records:
            row = existing(records, volume_id)
            known = records.find(ATTACHMENT, volume_id=volume_id)
            same = any(attachment["instance_uuid"] == instance_uuid for attachment in known)
            if row["status"] not in ("available", "downloading") and not (
                same or (row["multiattach"] and row["status"] in ("in-use", "reserved", "attaching"))
            ):
                raise errors.InvalidInput(reason=f"volume {volume_id} is {row['status']}")
            attachment = records.insert(
                ATTACHMENT,
                {
                    "uuid": str(uuids.uuid4()),
                    "volume_id": volume_id,
                    "instance_uuid": instance_uuid,
                    "status": "reserved",
                    "connector": None,
                    "mountpoint": None,
                },
            )
            if connector is not None:
                attachment = _connect(records, attachment, connector, mountpoint)
            _settle(records, volume_id)
            return _attachment(attachment)

    def attachment_update(
        self, context: Any, attachment_id: str, connector: Mapping[str, Any], mountpoint: str | None = None
    ) -> Attachment:
        """Connect a reservation; raises VolumeAttachmentNotFound, InvalidInput for another host's."""
        with self.answering("attachment_update") as records:
            row = existing_attachment(records, attachment_id)
            had = row["connector"]
            if had and had["host"] != connector["host"]:
                raise errors.InvalidInput(reason=f"attachment {attachment_id} is connected to {had['host']}")
            row = _connect(records, row, connector, mountpoint)
            _settle(records, row["volume_id"])
            return _attachment(row)

    def attachment_complete(self, context: Any, attachment_id: str) -> None:
        """The volume is in use; raises VolumeAttachmentNotFound, InvalidInput without a connector."""
        with self.answering("attachment_complete") as records:
            row = existing_attachment(records, attachment_id)
            if row["connector"] is None:
                raise errors.InvalidInput(reason=f"attachment {attachment_id} is not connected")
            records.update(ATTACHMENT, row, {"status": "attached"})
            _settle(records, row["volume_id"])

    def attachment_delete(self, context: Any, attachment_id: str) -> None:
        """Give it back; one that is gone is no error."""
        with self.answering("attachment_delete") as records:
            row = records.first(ATTACHMENT, uuid=attachment_id)
            if row is None:
                return
            records.purge(ATTACHMENT, uuid=attachment_id)
            volume = records.first(VOLUME, uuid=row["volume_id"])
            if volume is not None:
                # Whatever was being detached is so now; others may be attached still.
                records.update(VOLUME, volume, {"status": "available"})
                _settle(records, row["volume_id"])

    def attachment_get(self, context: Any, attachment_id: str) -> Attachment:
        """One attachment; raises VolumeAttachmentNotFound."""
        with self.answering("attachment_get") as records:
            return _attachment(existing_attachment(records, attachment_id))

    def attachments(self, context: Any, instance_uuid: str) -> list[Attachment]:
        """Every attachment of an instance."""
        with self.answering("attachments") as records:
            return [_attachment(row) for row in records.find(ATTACHMENT, instance_uuid=instance_uuid)]

    # Old-style attachments: this cloud is younger than they are, but stock's records may bring some.

    def initialize_connection(
        self, context: Any, volume_id: str, connector: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Connection info as attachments have it."""
        with self.answering("initialize_connection") as records:
            existing(records, volume_id)
            return {**_connection(volume_id, connector), "connector": dict(connector)}

    def terminate_connection(self, context: Any, volume_id: str, connector: Mapping[str, Any]) -> None:
        """Nothing is connected that way; raises VolumeNotFound."""
        with self.answering("terminate_connection") as records:
            existing(records, volume_id)

    def detach(self, context: Any, volume_id: str, instance_uuid: str) -> None:
        """The volume is available again; raises VolumeNotFound."""
        with self.answering("detach") as records:
            records.purge(ATTACHMENT, volume_id=volume_id, instance_uuid=instance_uuid)
            _settle(records, volume_id)


def _walk(records: Records, volume_id: str, old: str, new: str) -> None:
    row = existing(records, volume_id)
    if row["status"] != old:
        raise errors.InvalidInput(reason=f"volume {volume_id} is {row['status']}, not {old}")
    records.update(VOLUME, row, {"status": new})


def _connect(records: Records, row: Fields, connector: Mapping[str, Any], mountpoint: str | None) -> Fields:
    changes = {"connector": dict(connector), "mountpoint": mountpoint, "status": "attaching"}
    return records.update(ATTACHMENT, row, changes)


def _settle(records: Records, volume_id: str) -> None:
    """The volume's status follows from its attachments, as in cinder: the strongest of them counts."""
    states = {attachment["status"] for attachment in records.find(ATTACHMENT, volume_id=volume_id)}
    row = existing(records, volume_id)
    if "attached" in states:
        status = "detaching" if row["status"] == "detaching" else "in-use"
    elif "attaching" in states:
        status = "attaching"
    else:
        status = "reserved" if states else "available"
    records.update(VOLUME, row, {"status": status})


def _connection(volume_id: str, connector: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "driver_volume_type": "fake",
        "data": {"volume_id": volume_id, "target_host": connector.get("host"), "access_mode": "rw"},
    }


def _attachment(row: Fields) -> Attachment:
    info: dict[str, Any] = {}
    if row["connector"] is not None:
        info = {
            **_connection(row["volume_id"], row["connector"]),
            "status": row["status"],
            "instance": row["instance_uuid"],
            "attached_at": "",
            "detached_at": "",
            "volume_id": row["volume_id"],
        }
    return Attachment(row["uuid"], row["volume_id"], row["instance_uuid"], row["status"], info)


def _volume(row: Fields, attachments: Iterable[Fields] = ()) -> Volume:
    return Volume(
        id=row["uuid"],
        status=row["status"],
        size_gib=row["size"],
        availability_zone=row["availability_zone"],
        volume_type=row["volume_type"],
        is_multiattach=row["multiattach"],
        is_bootable=row["bootable"],
        migration_status=row["migration_status"],
        service_uuid=_HOST_SERVICE,
        shares_targets=False,
        image_metadata=row["image_metadata"],
        holders=tuple(_holder(each) for each in attachments if each["status"] == "attached"),
    )


def _holder(row: Fields) -> Holder:
    return Holder(row["uuid"], row["instance_uuid"], (row["connector"] or {}).get("host"))
