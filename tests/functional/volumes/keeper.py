"""Servers with volumes, and where these are: in the service, in the records, in the guests."""

from __future__ import annotations

import json
from typing import Any

from computed.embedded.servers import user_context
from tests.functional.cloud import HOST, Cloud


class VolumeKeeper:
    """Makes servers with volumes in a cloud and looks at what becomes of them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.volumes = cloud.embedded.volumes

    def boot(self, *, root: bool = True, **order: Any) -> tuple[str, str]:
        """A server on a volume of 2 GiB (or with one beside its local root); both ids."""
        volume_id = self.volumes.add(size_gib=2, bootable=True)
        disk = {"source_type": "volume", "volume_id": volume_id, "boot_index": 0 if root else -1}
        (uuid,) = self.cloud.boot(volumes=[disk], **order)
        self.assert_on(uuid, volume_id, order.get("host", HOST))
        return uuid, volume_id

    def mapping(self, uuid: str, volume_id: str) -> dict[str, Any]:
        """The record of a server's volume."""
        (row,) = self.cloud.rows("BlockDeviceMapping", instance_uuid=uuid, volume_id=volume_id, deleted=False)
        return row

    def in_guest(self, uuid: str, host: str) -> set[str]:
        """The volumes that the guest on a host has."""
        guest = self.cloud.agents[host].host.driver._store.find(uuid)  # type: ignore[attr-defined]
        return set(guest.volumes) if guest is not None and guest.defined else set()

    def make_old_style(self, uuid: str, volume_id: str) -> None:
        """Let the volume be attached as before there were attachments, as stock's records may have it."""
        (attachment,) = self.volumes.attachments_of(volume_id=volume_id)
        with self.cloud.embedded.store.transaction() as records:
            row = records.first("BlockDeviceMapping", instance_uuid=uuid, volume_id=volume_id)
            assert row is not None
            records.update("BlockDeviceMapping", row, {"attachment_id": None})
            records.purge("VolumeAttachment", uuid=attachment["uuid"])

    def assert_old_style_on(self, uuid: str, volume_id: str, host: str) -> None:
        """The volume of a mapping without attachment is used by the server's guest on a host."""
        assert self.volumes.row(volume_id)["status"] == "in-use"
        assert self.volumes.attachments_of(volume_id=volume_id) == []
        row = self.mapping(uuid, volume_id)
        info = json.loads(row["connection_info"])
        assert (row["attachment_id"], info["connector"]["host"], info["serial"]) == (None, host, volume_id)
        having = {name for name in self.cloud.agents if volume_id in self.in_guest(uuid, name)}
        assert having == {host}

    def assert_on(self, uuid: str, volume_id: str, host: str) -> None:
        """The volume is used by the server's guest on a host and connected nowhere else."""
        assert self.volumes.row(volume_id)["status"] == "in-use"
        (attachment,) = self.volumes.attachments_of(volume_id=volume_id)
        assert (attachment["instance_uuid"], attachment["status"]) == (uuid, "attached")
        assert attachment["connector"]["host"] == host
        row = self.mapping(uuid, volume_id)
        assert row["attachment_id"] == attachment["uuid"]
        assert json.loads(row["connection_info"])["data"]["target_host"] == host
        having = {name for name in self.cloud.agents if volume_id in self.in_guest(uuid, name)}
        assert having == {host}

    def assert_reserved(self, uuid: str, volume_id: str) -> None:
        """The volume is kept for the server and connected nowhere."""
        (attachment,) = self.volumes.attachments_of(volume_id=volume_id)
        assert (attachment["instance_uuid"], attachment["connector"]) == (uuid, None)
        assert self.mapping(uuid, volume_id)["attachment_id"] == attachment["uuid"]
        assert all(volume_id not in self.in_guest(uuid, name) for name in self.cloud.agents)

    def assert_free(self, volume_id: str) -> None:
        """Nobody has the volume."""
        assert self.volumes.row(volume_id)["status"] == "available"
        assert self.volumes.attachments_of(volume_id=volume_id) == []

    def finish_reimage(self, uuid: str, volume_id: str) -> None:
        """Say what the service says when it has written an image over a volume."""
        from computed import objects

        event = objects.InstanceExternalEvent(
            instance_uuid=uuid, name="volume-reimaged", status="completed", tag=volume_id, data={}
        )
        context = user_context()
        instances = [self.cloud.instance(uuid)]
        self.cloud.rpc.cast("external_instance_event", context=context, instances=instances, events=[event])
