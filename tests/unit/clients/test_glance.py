"""GlanceImages: the shape of metadata, whole downloads only, retries, and glance's refusals in our words."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from keystoneauth1 import session, token_endpoint
from keystoneauth1.adapter import Adapter
from oslo_config import cfg

from computed import conf as computed_conf
from computed import errors
from computed.clients import glance

FACTS = Path(__file__).parents[2] / "contract" / "facts"
DATA = bytes(range(256)) * 10_000
# As glance 33 answered on the stock stack, but for size and hashes, which are those of DATA.
IMAGE = {
    "owner_specified.openstack.object": "images/guest",
    "hw_disk_bus": "virtio",
    "name": "guest",
    "disk_format": "qcow2",
    "container_format": "bare",
    "visibility": "public",
    "size": len(DATA),
    "virtual_size": 29360128,
    "status": "active",
    "checksum": hashlib.md5(DATA).hexdigest(),
    "protected": False,
    "min_ram": 0,
    "min_disk": 0,
    "owner": "cfc6b72620164e5ca25a50f6b270b562",
    "os_hidden": False,
    "os_hash_algo": "sha512",
    "os_hash_value": hashlib.sha512(DATA).hexdigest(),
    "id": "e636b798-6133-4f4d-9791-8a92b3d16c4d",
    "created_at": "2026-11-21T04:32:53Z",
    "updated_at": "2026-11-21T04:32:53Z",
    "tags": [],
    "self": "/v2/images/e636b798-6133-4f4d-9791-8a92b3d16c4d",
    "file": "/v2/images/e636b798-6133-4f4d-9791-8a92b3d16c4d/file",
    "schema": "/v2/schemas/image",
    "stores": "fs",
}


class Server:
    """A glance on a real socket: answers by path, the first of several answers first."""

    def __init__(self):
        self.answers = {}
        self.requests = []
        self.methods = []
        self.bodies = []
        self.ranges = []
        methods = {
            "do_GET": lambda handler: self._handle(handler),
            "do_DELETE": lambda handler: self._handle(handler),
            "do_PATCH": lambda handler: self._handle(handler),
            "do_PUT": lambda handler: self._handle(handler),
            "protocol_version": "HTTP/1.1",
            "log_message": _silent,
        }
        handler = type("Handler", (BaseHTTPRequestHandler,), methods)
        self.http = HTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def _handle(self, request):
        self.requests.append(request.path)
        self.methods.append(request.command)
        self.bodies.append(_body(request))
        queue = self.answers[request.path]
        status, body, length, headers = queue.pop(0) if len(queue) > 1 else queue[0]
        self.ranges.append(request.headers.get("range"))
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("connection", "close")
        if status != 204:
            request.send_header("content-length", str(length))
        request.end_headers()
        request.wfile.write(body)

    def put(self, path, status, body, length=None, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.setdefault(path, []).append((status, body, length or len(body), headers))


def _silent(*args):
    pass


def _body(request):
    """What came with a request, in chunks or as a whole."""
    if request.headers.get("transfer-encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("content-length") or 0))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


@pytest.fixture
def server():
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture
def images(server, monkeypatch):
    monkeypatch.setattr(glance, "_RETRY_PAUSE_SECONDS", 0.01)
    return client([f"{server.url}/v2/"])


def client(endpoints, retries=2):
    conf = cfg.ConfigOpts()
    computed_conf.register_all(conf)
    conf([], project="computed-test")
    conf.set_override("num_retries", retries, group="glance")
    turn = iter(endpoints * 10)

    def adapter(context):
        url = next(turn)
        login = session.Session(auth=token_endpoint.Token(url, "secret"))
        return Adapter(login, endpoint_override=url, raise_exc=False)

    return glance.GlanceImages(conf, adapters=adapter)


PATH = "/v2/images/i"


def test_metadata_has_the_keys_of_the_wire():
    wire = glance.on_wire(IMAGE)
    keys = json.loads((FACTS / "image_on_wire.json").read_text())["keys"]
    assert sorted(wire) == keys
    assert wire["properties"] == {"owner_specified.openstack.object": "images/guest", "hw_disk_bus": "virtio"}
    assert (wire["is_public"], wire["deleted"], wire["deleted_at"]) == (True, False, None)
    assert wire["created_at"] == "2026-11-21T04:32:53.000000"


def test_an_image_without_data_has_size_zero():
    assert glance.on_wire({**IMAGE, "size": None, "visibility": "shared"})["size"] == 0
    assert glance.on_wire({"id": "i"})["disk_format"] is None


def test_a_download_is_the_image(server, images):
    server.put(PATH, 200, IMAGE)
    server.put(f"{PATH}/file", 200, DATA)
    assert b"".join(images.download(None, "i")) == DATA
    assert server.requests == [PATH, f"{PATH}/file"]


def test_metadata_that_is_at_hand_is_not_asked_for(server, images):
    server.put(f"{PATH}/file", 200, DATA)
    assert b"".join(images.download(None, "i", metadata=glance.on_wire(IMAGE))) == DATA
    assert server.requests == [f"{PATH}/file"]


@pytest.mark.parametrize(
    "changed",
    [
        {"os_hash_value": "0" * 128},
        {"os_hash_algo": "no-such-hash", "checksum": "0" * 32},
        {"os_hash_algo": None, "os_hash_value": None, "checksum": None, "size": len(DATA) + 1},
    ],
)
def test_a_broken_download_never_yields_its_last_bytes(server, images, changed):
    server.put(PATH, 200, {**IMAGE, **changed})
    server.put(f"{PATH}/file", 200, DATA)
    got = b""
    with pytest.raises(errors.CouldNotFetchImage):
        for chunk in images.download(None, "i"):
            got += chunk
    assert len(got) < len(DATA)


def test_a_connection_that_breaks_half_way_is_told(server, images):
    server.put(PATH, 200, IMAGE)
    server.put(f"{PATH}/file", 200, DATA[:1000], length=len(DATA))
    with pytest.raises(errors.GlanceConnectionFailed):
        list(images.download(None, "i"))


OFFSET = 1_500_000


def from_offset(images):
    return b"".join(images.download(None, "i", offset=OFFSET))


def content_range(start):
    return {"content-range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}


def test_the_rest_of_an_image_is_all_that_is_asked_for(server, images):
    server.put(PATH, 200, IMAGE)
    server.put(f"{PATH}/file", 206, DATA[OFFSET:], **content_range(OFFSET))
    assert from_offset(images) == DATA[OFFSET:]
    assert server.ranges == [None, f"bytes={OFFSET}-"]


def test_a_store_that_gives_the_whole_image_all_the_same(server, images):
    server.put(PATH, 200, IMAGE)
    server.put(f"{PATH}/file", 200, DATA)
    assert from_offset(images) == DATA[OFFSET:]
    assert len(server.ranges) == 2


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (400, {}),
        (416, {}),
        (206, {}),
        (206, content_range(OFFSET - 1)),
        (206, {"content-range": "lines 1-2/3"}),
    ],
)
def test_a_store_that_cannot_begin_there_is_asked_for_the_whole_image(server, images, status, headers):
    server.put(PATH, 200, IMAGE)
    server.put(f"{PATH}/file", status, DATA[OFFSET - 1 :], **headers)
    server.put(f"{PATH}/file", 200, DATA)
    assert from_offset(images) == DATA[OFFSET:]
    assert server.ranges == [None, f"bytes={OFFSET}-", None]


def test_a_rest_that_is_too_short_is_told(server, images):
    server.put(PATH, 200, IMAGE)
    server.put(f"{PATH}/file", 206, DATA[OFFSET:-1], **content_range(OFFSET))
    with pytest.raises(errors.CouldNotFetchImage):
        from_offset(images)


def test_a_refusal_is_one_in_the_middle_of_an_image_too(server, images):
    server.put(PATH, 200, IMAGE)
    server.put(f"{PATH}/file", 403, b"")
    with pytest.raises(errors.ImageNotAuthorized):
        from_offset(images)


def test_an_image_that_is_not_active_is_not_fetched(server, images):
    server.put(PATH, 200, {**IMAGE, "status": "queued"})
    with pytest.raises(errors.ImageNotActive):
        images.download(None, "i")
    assert server.requests == [PATH]


def test_an_image_without_data_is_refused(server, images):
    server.put(PATH, 200, IMAGE)
    server.put(f"{PATH}/file", 204, b"")
    with pytest.raises(errors.ImageUnacceptable):
        images.download(None, "i")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, errors.ImageNotAuthorized),
        (403, errors.ImageNotAuthorized),
        (404, errors.ImageNotFound),
        (400, errors.ImageBadRequest),
    ],
)
def test_refusals_are_not_repeated(server, images, status, error):
    server.put(PATH, status, b"<html>no</html>")
    with pytest.raises(error):
        images.show(None, "i")
    assert len(server.requests) == 1


def test_a_busy_glance_is_asked_again(server, images):
    server.put(PATH, 503, b"")
    server.put(PATH, 200, IMAGE)
    assert images.show(None, "i")["name"] == "guest"
    assert len(server.requests) == 2


def test_the_next_try_may_go_to_another_server(server, monkeypatch):
    monkeypatch.setattr(glance, "_RETRY_PAUSE_SECONDS", 0.01)
    server.put(PATH, 200, IMAGE)
    assert client(["http://127.0.0.1:1", server.url]).show(None, "i")["name"] == "guest"


def test_a_glance_that_stays_away_is_named(server, images):
    server.put(PATH, 500, b"")
    with pytest.raises(errors.GlanceConnectionFailed) as caught:
        images.show(None, "i")
    assert len(server.requests) == 3
    assert server.url in str(caught.value)
    assert "secret" not in str(caught.value)


def test_metadata_that_is_not_json_is_no_image(server, images):
    server.put(PATH, 200, b"<html>")
    with pytest.raises(errors.GlanceConnectionFailed):
        images.show(None, "i")


def test_an_image_is_deleted(server, images):
    server.put(PATH, 204, b"")
    images.delete(None, "i")
    assert (server.methods, server.requests) == (["DELETE"], [PATH])


def test_deleting_an_image_that_is_gone(server, images):
    server.put(PATH, 404, b"")
    with pytest.raises(errors.ImageNotFound):
        images.delete(None, "i")


# Making images


def test_metadata_is_added_one_by_one(server, images):
    server.put(PATH, 200, IMAGE)
    images.update(None, "i", {"disk_format": "raw", "properties": {"a/b~c": "d"}})
    assert server.methods == ["PATCH"]
    assert json.loads(server.bodies[0]) == [
        {"op": "add", "path": "/disk_format", "value": "raw"},
        {"op": "add", "path": "/a~1b~0c", "value": "d"},
    ]


def test_an_upload_sends_every_byte_once(server, images):
    server.put(f"{PATH}/file", 204, b"")
    images.upload(None, "i", iter([DATA[:1000], DATA[1000:]]))
    assert server.methods == ["PUT"]
    assert server.bodies == [DATA]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, errors.ImageNotFound),
        (410, errors.ImageNotFound),
        (403, errors.ImageNotAuthorized),
        (409, errors.ImageBadRequest),
        (413, errors.ImageQuotaExceeded),
        (503, errors.GlanceConnectionFailed),
    ],
)
def test_an_upload_is_tried_once(server, images, status, error):
    server.put(f"{PATH}/file", status, b"")
    with pytest.raises(error):
        images.upload(None, "i", [DATA])
    assert server.methods == ["PUT"]


def test_the_bytes_of_an_upload_are_never_sent_twice(server, images):
    once = glance._OnceOnly([DATA])
    assert list(once) == [DATA]
    with pytest.raises(errors.CouldNotUploadImage):
        list(once)


def test_a_search_reads_every_page_newest_first(server, images):
    first = "/v2/images?image_type=backup&sort=created_at%3Adesc"
    server.put(first, 200, {"images": [{**IMAGE, "id": "new"}], "next": "/v2/images?marker=new"})
    server.put("/v2/images?marker=new", 200, {"images": [{**IMAGE, "id": "old"}]})
    found = images.search(None, {"image_type": "backup"})
    assert [image["id"] for image in found] == ["new", "old"]
    assert server.requests == [first, "/v2/images?marker=new"]


def test_an_image_that_is_in_use_is_not_deleted(server, images):
    server.put(PATH, 409, b"")
    with pytest.raises(errors.ImageDeleteConflict):
        images.delete(None, "i")
