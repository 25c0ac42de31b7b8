"""The client of the one-host cloud's API; needs nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode


class CloudError(Exception):
    """The cloud refused a request; `code` is an HTTP status, `kind` the name of the error."""

    def __init__(self, code: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind


class CloudUnreachable(Exception):
    """Nobody answers on the socket."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class CloudClient:
    """Asks the cloud on a socket; every method raises CloudError or CloudUnreachable."""

    def __init__(self, path: Path, timeout_seconds: float = 90.0) -> None:
        self.path = path
        self._timeout_seconds = timeout_seconds

    def servers(self) -> list[dict[str, Any]]:
        """Every server."""
        return list(self._ask("GET", "/v1/servers")["servers"])

    def server(self, wanted: str) -> dict[str, Any]:
        """One server by id or name."""
        return dict(self._ask("GET", _of(wanted))["server"])

    def create(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Have a server built: `name`, `flavor`, `image` and if wanted `network`, `address`, `user_data`."""
        return dict(self._ask("POST", "/v1/servers", body=order)["server"])

    def delete(self, wanted: str) -> None:
        """Have a server deleted."""
        self._ask("DELETE", _of(wanted))

    def act(self, wanted: str, verb: str, **options: Any) -> None:
        """Have a server stopped, started or rebooted."""
        self._ask("POST", f"{_of(wanted)}/{verb}", body=options)

    def console(self, wanted: str, lines: int | None = None) -> str:
        """The console log of a server."""
        query = {} if lines is None else {"lines": str(lines)}
        return str(self._ask("GET", f"{_of(wanted)}/console", query=query)["output"])

    def host(self) -> dict[str, Any]:
        """The host."""
        return dict(self._ask("GET", "/v1/host")["host"])

    def flavors(self) -> list[dict[str, Any]]:
        """Every flavor."""
        return list(self._ask("GET", "/v1/flavors")["flavors"])

    def images(self) -> list[dict[str, Any]]:
        """Every image."""
        return list(self._ask("GET", "/v1/images")["images"])

    def add_image(self, name: str, disk_format: str, file: BinaryIO, size_bytes: int) -> dict[str, Any]:
        """Upload a file as an image; returns it."""
        answer = self._ask(
            "PUT",
            f"/v1/images/{quote(name, safe='')}",
            query={"disk_format": disk_format},
            body=file,
            headers={"Content-Length": str(size_bytes)},
        )
        return dict(answer["image"])

    def delete_image(self, wanted: str) -> None:
        """Remove an image."""
        self._ask("DELETE", f"/v1/images/{quote(wanted, safe='')}")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """`body` goes as JSON, with `headers` as the bytes that it is."""
        connection = _Connection(self.path, self._timeout_seconds)
        target = f"{path}?{urlencode(query)}" if query else path
        sent = body if headers or body is None else json.dumps(body)
        try:
            try:
                connection.request(method, target, sent, headers or {})
            except (BrokenPipeError, ConnectionResetError):
                # Whoever refuses an upload does not read all of it; the answer is there.
                if not headers:
                    raise
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CloudUnreachable(f"no agent answers on {self.path}: {_reason(error)}") from error
        finally:
            connection.close()
        if response.status >= 400:
            said = answer["error"]
            raise CloudError(said["code"], said["type"], said["message"])
        return dict(answer)


def _of(wanted: str) -> str:
    return f"/v1/servers/{quote(wanted, safe='')}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
