"""Cinder as the block storage service: the v3 API over keystoneauth, answers in our own words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import strutils

from computed import errors
from computed.clients.rest import RestClient, noun_of
from computed.clients.volumes import Attachment, Holder, NewVolume, Volume, VolumeSnapshot

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

Json = dict[str, Any]

_ATTACHMENTS: Final = "3.44"
_REIMAGE: Final = "3.68"
_BASE: Final = "3.0"
# 3.69 may say that sharing of targets is not known, 3.48 says yes or no, 3.0 nothing.
_VOLUME_VERSIONS: Final = ("3.69", "3.48", _BASE)
_TRIES: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.5
_RETRIED_STATUSES: Final = frozenset({500, 502, 503, 504})
_ENCRYPTION: Final = ("provider", "cipher", "key_size", "control_location", "encryption_key_id")


@dataclass(frozen=True)
class _About:
    """What a request is about: the words and the error for it, should it fail."""

    what: str
    missing: Callable[[str], Exception]
    retries: int = 0


def _not_found(text: str) -> Exception:
    """For requests about several things: cinder's own words say which of them it does not have."""
    return errors.NotFound(f"Cinder: {text}" if text else None)


def _volume(volume_id: str, what: str, retries: int = 0) -> _About:
    return _About(
        f"{what} volume {volume_id}", lambda text: errors.VolumeNotFound(volume_id=volume_id), retries=retries
    )


def _attachment(attachment_id: str, what: str, retries: int = 0) -> _About:
    return _About(
        f"{what} attachment {attachment_id}",
        lambda text: errors.VolumeAttachmentNotFound(attachment_id=attachment_id),
        retries=retries,
    )


def _snapshot(snapshot_id: str, what: str) -> _About:
    return _About(
        f"{what} snapshot {snapshot_id}", lambda text: errors.SnapshotNotFound(snapshot_id=snapshot_id)
    )


class CinderVolumes(RestClient):
    """Implements clients.volumes.VolumeService with cinder.

    `count` is told "METHOD noun" of each request.
    """

    SECTION = "cinder"

    def __init__(self, conf: cfg.ConfigOpts, **more: Any) -> None:
        super().__init__(conf, **more)
        self._volume_versions: tuple[str, ...] = _VOLUME_VERSIONS

    # Volumes and snapshots

    def get(self, context: Any, volume_id: str) -> Volume:
        """One volume, asked with the newest of the versions that this cinder knows."""
        while True:
            version = self._volume_versions[0]
            try:
                answer = self._ask(
                    context, "GET", f"volumes/{volume_id}", _volume(volume_id, "show"), version=version
                )
            except errors.CinderAPIVersionNotAvailable:
                if len(self._volume_versions) == 1:
                    raise
                if self._volume_versions[0] == version:
                    self._volume_versions = self._volume_versions[1:]
            else:
                return _volume_of(answer["volume"])

    def get_snapshot(self, context: Any, snapshot_id: str) -> VolumeSnapshot:
        """One snapshot."""
        answer = self._ask(context, "GET", f"snapshots/{snapshot_id}", _snapshot(snapshot_id, "show"))
        snapshot = answer["snapshot"]
        return VolumeSnapshot(
            id=snapshot["id"],
            volume_id=snapshot.get("volume_id"),
            status=snapshot["status"],
            size_gib=snapshot["size"],
        )

    def create(self, context: Any, wanted: NewVolume) -> Volume:
        """Begin to make a volume. Raises NotFound when its image or snapshot is not there."""
        fields = {
            "size": wanted.size_gib,
            "name": wanted.name,
            "description": wanted.description,
            "volume_type": wanted.volume_type,
            "availability_zone": wanted.availability_zone,
            "imageRef": wanted.image_id,
            "snapshot_id": wanted.snapshot_id,
        }
        about = _About("create a volume", _not_found)
        answer = self._ask(context, "POST", "volumes", about, body={"volume": fields})
        return _volume_of(answer["volume"])

    def delete(self, context: Any, volume_id: str) -> None:
        """Begin to delete a volume."""
        self._ask(context, "DELETE", f"volumes/{volume_id}", _volume(volume_id, "delete"))

    def roll_detaching(self, context: Any, volume_id: str) -> None:
        """detaching → in-use."""
        self._volume_action(context, volume_id, "os-roll_detaching", None)

    def migrate_volume_completion(
        self, context: Any, old_volume_id: str, new_volume_id: str, *, error: bool
    ) -> str:
        """Tell the end of a migration that cinder began; returns the id the volume keeps."""
        info = {"new_volume": new_volume_id, "error": error}
        answer = self._volume_action(context, old_volume_id, "os-migrate_volume_completion", info)
        return str(answer["save_volume_id"])

    def update_snapshot_status(self, context: Any, snapshot_id: str, status: str) -> None:
        """Report on a snapshot. Our part of it is done at 90%; the rest is cinder's."""
        body = {"os-update_snapshot_status": {"status": status, "progress": "90%"}}
        about = _snapshot(snapshot_id, "report on")
        self._ask(context, "POST", f"snapshots/{snapshot_id}/action", about, body=body)

    def reimage(self, context: Any, volume_id: str, image_id: str, *, is_reserved: bool) -> None:
        """Begin to overwrite a volume with an image. Raises NotFound when one of them is not there."""
        info = {"os-reimage": {"image_id": image_id, "reimage_reserved": is_reserved}}
        about = _About(f"overwrite volume {volume_id}", _not_found)
        self._ask(context, "POST", f"volumes/{volume_id}/action", about, body=info, version=_REIMAGE)

    def encryption(self, context: Any, volume_id: str) -> Json:
        """How the volume is encrypted."""
        about = _volume(volume_id, "show the encryption of")
        answer = self._ask(context, "GET", f"volumes/{volume_id}/encryption", about)
        return {name: answer[name] for name in _ENCRYPTION if answer.get(name) is not None}

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
        """Reserve a volume for an instance; with a connector connect it."""
        fields = {
            "volume_uuid": volume_id,
            "instance_uuid": instance_uuid,
            "connector": connector and _connector(connector, mountpoint),
        }
        about = _volume(volume_id, "attach")
        answer = self._ask(
            context, "POST", "attachments", about, body={"attachment": fields}, version=_ATTACHMENTS
        )
        return attachment_of(answer["attachment"])

    def attachment_update(
        self, context: Any, attachment_id: str, connector: Mapping[str, Any], mountpoint: str | None = None
    ) -> Attachment:
        """Connect a reserved volume to a host."""
        answer = self._ask(
            context,
            "PUT",
            f"attachments/{attachment_id}",
            _attachment(attachment_id, "update", retries=_TRIES - 1),
            body={"attachment": {"connector": _connector(connector, mountpoint)}},
            version=_ATTACHMENTS,
        )
        return attachment_of(answer["attachment"])

    def attachment_complete(self, context: Any, attachment_id: str) -> None:
        """The guest has the volume."""
        self._ask(
            context,
            "POST",
            f"attachments/{attachment_id}/action",
            _attachment(attachment_id, "complete"),
            body={"os-complete": None},
            version=_ATTACHMENTS,
        )

    def attachment_delete(self, context: Any, attachment_id: str) -> None:
        """Disconnect and give the volume back."""
        about = _attachment(attachment_id, "delete", retries=_TRIES - 1)
        try:
            self._ask(context, "DELETE", f"attachments/{attachment_id}", about, version=_ATTACHMENTS)
        except errors.VolumeAttachmentNotFound:
            LOG.debug("Attachment %s is gone: there is nothing to delete", attachment_id)

    def attachment_get(self, context: Any, attachment_id: str) -> Attachment:
        """One attachment with its current connection."""
        about = _attachment(attachment_id, "show")
        answer = self._ask(context, "GET", f"attachments/{attachment_id}", about, version=_ATTACHMENTS)
        return attachment_of(answer["attachment"])

    def attachments(self, context: Any, instance_uuid: str) -> list[Attachment]:
        """Every attachment that cinder has for an instance."""
        about = _About("list attachments", _not_found)
        # An administrator works on the servers of others; of whoever is none cinder ignores the word.
        path = f"attachments?instance_id={instance_uuid}&all_tenants=1"
        answer = self._ask(context, "GET", path, about, version=_ATTACHMENTS)
        return [attachment_of(attachment) for attachment in answer["attachments"]]

    # Old-style attachments

    def initialize_connection(self, context: Any, volume_id: str, connector: Mapping[str, Any]) -> Json:
        """Connect an old-style attachment to a host."""
        info = {"connector": dict(connector)}
        answer = self._volume_action(context, volume_id, "os-initialize_connection", info)
        return {**answer["connection_info"], "connector": dict(connector)}

    def terminate_connection(self, context: Any, volume_id: str, connector: Mapping[str, Any]) -> None:
        """Disconnect an old-style attachment."""
        info = {"connector": dict(connector)}
        self._volume_action(context, volume_id, "os-terminate_connection", info)

    def detach(self, context: Any, volume_id: str, instance_uuid: str) -> None:
        """Give an old-style attachment back; with several of them cinder must know which."""
        answer = self._ask(context, "GET", f"volumes/{volume_id}", _volume(volume_id, "show"))["volume"]
        ids = {found["server_id"]: found["attachment_id"] for found in answer.get("attachments") or ()}
        self._volume_action(context, volume_id, "os-detach", {"attachment_id": ids.get(instance_uuid)})

    # The wire

    def _volume_action(
        self, context: Any, volume_id: str, action: str, info: Json | None, *, version: str = _BASE
    ) -> Json:
        about = _volume(volume_id, f"{action} of")
        path = f"volumes/{volume_id}/action"
        return self._ask(context, "POST", path, about, body={action: info}, version=version)

    def _ask(
        self,
        context: Any,
        method: str,
        path: str,
        about: _About,
        *,
        body: Json | None = None,
        version: str = _BASE,
    ) -> Json:
        """The decoded answer; requests that may be repeated are, after a server error."""
        pause = _FIRST_PAUSE_SECONDS
        for _ in range(about.retries):
            response = self._send(context, method, path, about, body, version)
            if response.status_code not in _RETRIED_STATUSES:
                break
            LOG.warning("Cinder fails to %s (HTTP %d), again soon", about.what, response.status_code)
            time.sleep(pause)
            pause *= 2
        else:
            response = self._send(context, method, path, about, body, version)
        return _decoded(response, about, version)

    def _send(
        self, context: Any, method: str, path: str, about: _About, body: Json | None, version: str
    ) -> Any:
        from keystoneauth1 import exceptions as ksa

        headers = {"OpenStack-API-Version": f"volume {version}"}
        counted_as = f"{method} {noun_of(path)}"
        try:
            return self._request(
                context, method, f"/{path}", counted_as=counted_as, json=body, headers=headers
            )
        except ksa.Unauthorized as exc:
            raise errors.Unauthorized(f"Cinder does not know who asks to {about.what}.") from exc
        except ksa.ClientException as exc:
            reason = f"to {about.what}: {type(exc).__name__}"
            raise errors.CinderConnectionFailed(reason=reason) from exc


def _connector(connector: Mapping[str, Any], mountpoint: str | None) -> Json:
    """Cinder takes the device name as a part of the connector."""
    return {"mountpoint": mountpoint, **connector} if mountpoint else dict(connector)


def attachment_of(answer: Mapping[str, Any]) -> Attachment:
    """Cinder's attachment as nova keeps it in its mappings: what cinder tells flat stands in `data`."""
    flat: Json = dict(answer.get("connection_info") or {})
    info: Json = {}
    if flat:
        flat.pop("attachment_id", None)
        info = {"driver_volume_type": flat.pop("driver_volume_type", None), "data": flat}
        info.update(dict.fromkeys(("status", "instance", "attached_at", "detached_at")))
        beside = ("id", "attach_mode", "connection_info")
        info.update({name: value for name, value in answer.items() if name not in beside})
    return Attachment(
        id=answer["id"],
        volume_id=answer["volume_id"],
        instance_uuid=answer.get("instance"),
        status=answer.get("status"),
        connection_info=info,
    )


def _volume_of(volume: Mapping[str, Any]) -> Volume:
    return Volume(
        id=volume["id"],
        status=volume["status"],
        size_gib=volume["size"],
        availability_zone=volume.get("availability_zone"),
        volume_type=volume.get("volume_type"),
        is_multiattach=bool(volume.get("multiattach")),
        is_bootable=strutils.bool_from_string(volume.get("bootable")),
        migration_status=volume.get("migration_status"),
        service_uuid=volume.get("service_uuid"),
        # Below 3.48 nothing is said of it, which is no: locks came with it.
        shares_targets=volume.get("shared_targets", False),
        image_metadata=dict(volume.get("volume_image_metadata") or {}),
        holders=tuple(_holder_of(each) for each in volume.get("attachments") or ()),
    )


def _holder_of(answer: Mapping[str, Any]) -> Holder:
    return Holder(answer.get("attachment_id") or "", answer.get("server_id"), answer.get("host_name"))


def _decoded(response: Any, about: _About, version: str) -> Json:
    status = response.status_code
    answer = _json(response)
    if status < 400:
        return answer if isinstance(answer, dict) else {}
    text = _message(answer)
    if status == 406:
        raise errors.CinderAPIVersionNotAvailable(version=version)
    if status == 404:
        raise about.missing(text)
    if status in (401, 403):
        raise errors.Forbidden(f"Cinder does not allow to {about.what}: {text}")
    if status == 413:
        raise errors.OverQuota(f"Cinder's quota does not allow to {about.what}: {text}")
    if status == 400:
        raise errors.InvalidInput(reason=f"cinder refused to {about.what}: {text}")
    if status < 500:
        raise errors.InvalidVolume(reason=f"cinder refused to {about.what}: HTTP {status} {text}")
    raise errors.CinderConnectionFailed(reason=f"to {about.what}: HTTP {status} {text}".rstrip())


def _json(response: Any) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return None


def _message(answer: Any) -> str:
    """Cinder's faults are {"badRequest": {"code": 400, "message": "..."}}."""
    faults = answer.values() if isinstance(answer, Mapping) else ()
    return " ".join(str(fault.get("message", "")) for fault in faults if isinstance(fault, Mapping))
