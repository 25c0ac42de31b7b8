"""What is sent to cinder, and what becomes of its answers."""

import json
from types import SimpleNamespace

import pytest
from keystoneauth1 import exceptions as ksa

from computed import errors
from computed.clients import cinder
from computed.clients.cinder import CinderVolumes
from computed.clients.volumes import Holder, NewVolume

VOLUME = {
    "id": "v",
    "status": "in-use",
    "size": 3,
    "availability_zone": "nova",
    "volume_type": "lvm",
    "multiattach": True,
    "bootable": "true",
    "migration_status": None,
    "volume_image_metadata": {"min_ram": "0"},
}
# Recorded from a real cinder (PUT /v3/attachments/ID, 3.44), ids shortened and a password added.
ATTACHMENT = {
    "id": "a",
    "status": "reserved",
    "instance": "i",
    "volume_id": "v",
    "attached_at": "",
    "detached_at": "",
    "attach_mode": "null",
    "connection_info": {
        "volume_id": "v",
        "access_mode": "rw",
        "qos_specs": None,
        "encrypted": False,
        "cacheable": False,
        "driver_volume_type": "fake",
        "attachment_id": "a",
        "enforce_multipath": False,
        "auth_password": "secret",
    },
}


class Cinder:
    """Answers in turn, in place of a keystoneauth1 adapter; the last answer stays."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def request(self, path, method, **said):
        version = said["headers"]["OpenStack-API-Version"]
        self.asked.append((method, path, said["json"], version))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        text = "" if body is None else json.dumps(body)
        return SimpleNamespace(status_code=status, content=text.encode(), json=lambda: body)

    def client(self):
        return CinderVolumes(None, adapters=lambda context: self)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(cinder.time, "sleep", lambda seconds: None)


def test_a_volume_is_asked_for_with_the_newest_version_that_is_known():
    service = Cinder((406, None), (200, {"volume": {**VOLUME, "shared_targets": True, "service_uuid": "s"}}))
    client = service.client()
    volume = client.get(None, "v")
    client.get(None, "v")
    assert [asked[3] for asked in service.asked] == ["volume 3.69", "volume 3.48", "volume 3.48"]
    assert (volume.size_gib, volume.is_multiattach, volume.is_bootable) == (3, True, True)
    assert (volume.shares_targets, volume.service_uuid) == (True, "s")


def test_an_old_cinder_shares_no_targets():
    service = Cinder((406, None), (406, None), (200, {"volume": VOLUME}))
    assert service.client().get(None, "v").shares_targets is False
    with pytest.raises(errors.CinderAPIVersionNotAvailable):
        Cinder((406, None)).client().get(None, "v")


def test_attachments_become_what_nova_keeps():
    service = Cinder((200, {"attachment": ATTACHMENT}))
    attachment = service.client().attachment_update(None, "a", {"host": "h"}, "/dev/vdb")
    assert attachment.connection_info == {
        "driver_volume_type": "fake",
        "data": {
            "volume_id": "v",
            "access_mode": "rw",
            "qos_specs": None,
            "encrypted": False,
            "cacheable": False,
            "enforce_multipath": False,
            "auth_password": "secret",
        },
        "status": "reserved",
        "instance": "i",
        "attached_at": "",
        "detached_at": "",
        "volume_id": "v",
    }
    assert "secret" not in repr(attachment)
    body = {"attachment": {"connector": {"host": "h", "mountpoint": "/dev/vdb"}}}
    assert service.asked == [("PUT", "/attachments/a", body, "volume 3.44")]


def test_a_reservation_has_no_connection():
    service = Cinder((200, {"attachment": {**ATTACHMENT, "connection_info": {}}}))
    assert service.client().attachment_create(None, "v", "i").connection_info == {}
    body = {"attachment": {"volume_uuid": "v", "instance_uuid": "i", "connector": None}}
    assert service.asked == [("POST", "/attachments", body, "volume 3.44")]


def test_attaching_with_a_connector():
    service = Cinder((200, {"attachment": ATTACHMENT}))
    service.client().attachment_create(None, "v", "i", connector={"host": "h"}, mountpoint="/dev/vdb")
    assert service.asked[0][2]["attachment"]["connector"] == {"host": "h", "mountpoint": "/dev/vdb"}


@pytest.mark.parametrize(
    ("ask", "method", "path", "body", "version"),
    [
        (lambda c: c.attachment_complete(None, "a"), "POST", "/attachments/a/action", {"os-complete": None},
         "3.44"),
        (lambda c: c.attachment_delete(None, "a"), "DELETE", "/attachments/a", None, "3.44"),
        (lambda c: c.roll_detaching(None, "v"), "POST", "/volumes/v/action", {"os-roll_detaching": None},
         "3.0"),
        (lambda c: c.delete(None, "v"), "DELETE", "/volumes/v", None, "3.0"),
        (lambda c: c.reimage(None, "v", "i", is_reserved=True), "POST", "/volumes/v/action",
         {"os-reimage": {"image_id": "i", "reimage_reserved": True}}, "3.68"),
        (lambda c: c.update_snapshot_status(None, "s", "creating"), "POST", "/snapshots/s/action",
         {"os-update_snapshot_status": {"status": "creating", "progress": "90%"}}, "3.0"),
        (lambda c: c.terminate_connection(None, "v", {"host": "h"}), "POST", "/volumes/v/action",
         {"os-terminate_connection": {"connector": {"host": "h"}}}, "3.0"),
    ],
)  # fmt: skip
def test_requests(ask, method, path, body, version):
    service = Cinder((202, None))
    ask(service.client())
    assert service.asked == [(method, path, body, f"volume {version}")]


def test_the_end_of_a_migration():
    service = Cinder((200, {"save_volume_id": "old"}))
    assert service.client().migrate_volume_completion(None, "old", "new", error=False) == "old"
    body = {"os-migrate_volume_completion": {"new_volume": "new", "error": False}}
    assert service.asked[0][1:3] == ("/volumes/old/action", body)


def test_a_new_volume():
    service = Cinder((202, {"volume": {**VOLUME, "status": "creating"}}))
    made = service.client().create(None, NewVolume(3, name="n", image_id="i"))
    assert (made.id, made.status) == ("v", "creating")
    assert service.asked[0][2]["volume"] == {
        "size": 3,
        "name": "n",
        "description": "",
        "volume_type": None,
        "availability_zone": None,
        "imageRef": "i",
        "snapshot_id": None,
    }


def test_attachments_of_an_instance():
    summary = {"id": "a", "status": "attached", "instance": "i", "volume_id": "v"}
    service = Cinder((200, {"attachments": [summary]}))
    (attachment,) = service.client().attachments(None, "i")
    assert (attachment.id, attachment.volume_id, attachment.status) == ("a", "v", "attached")
    assert service.asked[0][1] == "/attachments?instance_id=i&all_tenants=1"


def test_who_holds_a_volume():
    known = [
        {"server_id": "i", "attachment_id": "a", "host_name": "h"},
        {"server_id": "i", "attachment_id": "b", "host_name": None},
    ]
    service = Cinder((200, {"volume": {**VOLUME, "attachments": known}}))
    assert service.client().get(None, "v").holders == (Holder("a", "i", "h"), Holder("b", "i", None))


def test_encryption():
    answer = {"provider": "luks", "key_size": 256, "cipher": None, "encryption_key_id": "k", "volume_id": "v"}
    found = Cinder((200, answer)).client().encryption(None, "v")
    assert found == {"provider": "luks", "key_size": 256, "encryption_key_id": "k"}


def test_detaching_in_the_old_style_names_the_attachment():
    known = [{"server_id": "i", "attachment_id": "a"}, {"server_id": "j", "attachment_id": "b"}]
    service = Cinder((200, {"volume": {**VOLUME, "attachments": known}}), (202, None))
    service.client().detach(None, "v", "j")
    assert service.asked[1][2] == {"os-detach": {"attachment_id": "b"}}


REFUSED = {"badRequest": {"code": 400, "message": "status must be available"}}


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (400, REFUSED, errors.InvalidInput, "status must be available"),
        (401, None, errors.Forbidden, "does not allow"),
        (403, REFUSED, errors.Forbidden, "does not allow"),
        (404, None, errors.VolumeNotFound, "v"),
        (406, None, errors.CinderAPIVersionNotAvailable, "3.44"),
        (409, REFUSED, errors.InvalidVolume, "409"),
        (413, REFUSED, errors.OverQuota, "quota"),
        (500, {"computeFault": {"message": "oops"}}, errors.CinderConnectionFailed, "500 oops"),
    ],
)
def test_refusals(status, body, error, text):
    with pytest.raises(error, match=text):
        Cinder((status, body)).client().attachment_create(None, "v", "i")


def test_no_answer():
    with pytest.raises(errors.CinderConnectionFailed, match="ConnectTimeout"):
        Cinder(ksa.ConnectTimeout()).client().get(None, "v")
    with pytest.raises(errors.CinderConnectionFailed, match="EndpointNotFound"):
        Cinder(ksa.EndpointNotFound()).client().attachments(None, "i")
    with pytest.raises(errors.Unauthorized):
        Cinder(ksa.Unauthorized()).client().get(None, "v")


def test_what_may_be_repeated_is_after_a_server_error():
    service = Cinder((500, None), (504, None), (200, None))
    service.client().attachment_delete(None, "a")
    assert len(service.asked) == 3
    service = Cinder((500, None))
    with pytest.raises(errors.CinderConnectionFailed):
        service.client().attachment_update(None, "a", {})
    assert len(service.asked) == 5
    service = Cinder((500, None))
    with pytest.raises(errors.CinderConnectionFailed):
        service.client().attachment_create(None, "v", "i")
    assert len(service.asked) == 1


def test_what_is_missing_is_named_by_its_kind():
    with pytest.raises(errors.VolumeAttachmentNotFound):
        Cinder((404, None)).client().attachment_get(None, "a")
    with pytest.raises(errors.SnapshotNotFound):
        Cinder((404, None)).client().get_snapshot(None, "s")
    Cinder((404, None)).client().attachment_delete(None, "a")
    fault = {"itemNotFound": {"code": 404, "message": "Image i could not be found."}}
    with pytest.raises(errors.NotFound, match="Image i"):
        Cinder((404, fault)).client().reimage(None, "v", "i", is_reserved=True)
    with pytest.raises(errors.NotFound, match="Image i"):
        Cinder((404, fault)).client().create(None, NewVolume(1))
