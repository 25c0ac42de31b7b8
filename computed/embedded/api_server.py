"""HTTP on a unix socket: takes requests apart for the API and puts its answers on the wire."""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from computed import errors
from computed.embedded.api import Answer, Api, BadRequest

LOG = logging.getLogger(__name__)

_MOST_BODY_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
_PATIENCE_SECONDS = 30
_SHUTDOWN_POLL_SECONDS = 0.05


class ApiServer:
    """Serves an Api on a socket that only the user of this process may open.

    Raises StartRefused when something lives on the socket already, or the path is something else.
    """

    def __init__(self, path: Path, api: Api) -> None:
        self._path = path
        _make_way(path)
        self._server = _Server(path, api)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_SHUTDOWN_POLL_SECONDS,), name="alone-api", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more and remove the socket."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


def _make_way(path: Path) -> None:
    """Remove the socket that an agent left that did not end well; nobody answers on it."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise errors.StartRefused(f"{path} is not a socket: remove it, or choose another [alone] socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise errors.StartRefused(f"another agent answers on {path}")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, api: Api) -> None:
        self.api = api
        super().__init__(str(path), _Handler)

    def server_bind(self) -> None:
        """Bind; nobody can connect before `listen`, so there is no moment in which others may."""
        try:
            super().server_bind()
        except OSError as error:
            raise errors.StartRefused(f"no socket can be made at {self.server_address!r}: {error}") from error
        os.chmod(str(self.server_address), 0o600)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event."""
        LOG.debug("A client of the API went away", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE_SECONDS

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def do_PUT(self) -> None:
        """The bytes of an image, of any length that is told beforehand."""
        url = urlsplit(self.path)
        length = self.headers.get("Content-Length") or ""
        # What was not read of a refused upload is no next request.
        self.close_connection = True
        if not length.isdecimal():
            self._send(Answer(411, _error(411, "how many bytes follow must be said")))
            return
        data = self._chunks(int(length))
        self._send(self.server.api.handle("PUT", url.path, dict(parse_qsl(url.query)), {}, data))

    def _chunks(self, length: int) -> Iterator[bytes]:
        """What is sent, in pieces; raises BadRequest when it ends early, so that nobody keeps a part."""
        while length:
            chunk = self.rfile.read(min(length, _CHUNK_BYTES))
            if not chunk:
                raise BadRequest("the upload was cut off")
            length -= len(chunk)
            yield chunk

    def _answer(self, method: str) -> None:
        url = urlsplit(self.path)
        try:
            body = self._read_body()
        except ValueError as error:
            self.close_connection = True
            self._send(Answer(400, _error(400, str(error))))
            return
        query = dict(parse_qsl(url.query))
        self._send(self.server.api.handle(method, url.path, query, body))

    def _read_body(self) -> Any:
        """The JSON that came, an empty object when nothing came; raises ValueError."""
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= _MOST_BODY_BYTES:
            raise ValueError(f"a body has at most {_MOST_BODY_BYTES} bytes")
        text = self.rfile.read(length)
        return json.loads(text) if text else {}

    def _send(self, answer: Answer) -> None:
        text = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        """A unix socket has no address."""
        return "local"

    def log_message(self, format: str, *args: Any) -> None:
        """Into the agent's log, in detail only."""
        LOG.debug(format, *args)


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "type": "BadRequest", "message": message}}
