"""The API of the one-host cloud: JSON over HTTP on a unix socket; computedctl is its client."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import oslo_messaging as messaging

from computed import errors
from computed.embedded import views
from computed.embedded.flavors import all_flavors, find_flavor
from computed.embedded.images import ImageDirectory
from computed.embedded.new_server import NewServer
from computed.embedded.scheduler import OneHostScheduler
from computed.embedded.servers import Servers, user_context
from computed.embedded.store import Fields, Store
from computed.objects.service import COMPUTE_BINARY

LOG = logging.getLogger(__name__)

_MOST_CONSOLE_LINES = 100_000
_NAME_LENGTH = 255


@dataclass(frozen=True)
class Request:
    """One request, taken apart: `names` are the parts of the path that the route leaves open."""

    context: Any
    names: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    data: Iterable[bytes] = ()
    """What is uploaded, for the one method that takes bytes."""


@dataclass(frozen=True)
class Answer:
    """An HTTP status and what goes back as JSON."""

    status: int
    body: Any = None


class BadRequest(errors.Invalid):
    """A request that makes no sense as it is."""


class Api:
    """What can be asked of the one-host cloud, by method and path; see ROUTES."""

    def __init__(
        self,
        store: Store,
        servers: Servers,
        images: ImageDirectory,
        scheduler: OneHostScheduler,
        service_down_seconds: int,
    ) -> None:
        self._store = store
        self._servers = servers
        self._images = images
        self._scheduler = scheduler
        self._down_seconds = service_down_seconds

    def handle(
        self, method: str, path: str, query: Mapping[str, str], body: Any, data: Iterable[bytes] = ()
    ) -> Answer:
        """Do what is asked and answer; every failure is an answer, too."""
        context = user_context()
        try:
            handler, names = _route(method, path)
            if not isinstance(body, dict):
                raise BadRequest("the body must be a JSON object")
            return handler(self, Request(context, names, query, body, data))
        except errors.NovaException as error:
            kind = type(error).__name__.removesuffix("_Remote")
            return _failure(_http_status(error), kind, error.format_message())
        except messaging.MessagingTimeout:
            return _failure(504, "Timeout", "the compute service did not answer in time")
        except NotImplementedError:
            return _failure(501, "NotImplemented", "the driver of this host cannot do that")
        except Exception:
            LOG.exception("%s %s failed [%s]", method, path, context.request_id)
            return _failure(500, "InternalError", f"it failed; the log tells more, see {context.request_id}")

    def list_servers(self, request: Request) -> Answer:
        """Every server."""
        return Answer(200, {"servers": [self._view(row) for row in self._servers.rows()]})

    def create_server(self, request: Request) -> Answer:
        """Build a server; the answer does not wait for it."""
        order = self._order(request.body)
        created = self._servers.create(request.context, order)
        return Answer(202, {"server": self._view(self._servers.find(created))})

    def show_server(self, request: Request) -> Answer:
        """One server."""
        return Answer(200, {"server": self._view(self._servers.find(request.names["server"]))})

    def delete_server(self, request: Request) -> Answer:
        """Delete a server; the answer does not wait for it."""
        row = self._servers.find(request.names["server"])
        self._servers.delete(request.context, row["uuid"])
        return Answer(202, {"id": row["uuid"]})

    def act(self, request: Request) -> Answer:
        """Stop, start or reboot a server; the answer does not wait for it."""
        row = self._servers.find(request.names["server"])
        verb = request.names["verb"]
        if verb == "reboot":
            self._servers.reboot(request.context, row["uuid"], hard=bool(request.body.get("hard", False)))
        elif verb == "stop":
            self._servers.stop(request.context, row["uuid"])
        else:
            self._servers.start(request.context, row["uuid"])
        return Answer(202, {"id": row["uuid"]})

    def show_console(self, request: Request) -> Answer:
        """The console log of a server."""
        lines = request.query.get("lines")
        if lines is not None and not (lines.isdecimal() and int(lines) <= _MOST_CONSOLE_LINES):
            raise BadRequest(f"lines must be a number up to {_MOST_CONSOLE_LINES}")
        count = None if lines is None else int(lines)
        output = self._servers.console(request.context, request.names["server"], count)
        return Answer(200, {"output": output})

    def show_host(self, request: Request) -> Answer:
        """The host: its service, nodes, what is used of them."""
        with self._store.transaction() as records:
            service = records.first("Service", binary=COMPUTE_BINARY)
            nodes = records.find("ComputeNode")
            servers = len(records.find("Instance"))
        with_inventories = [
            (node, self._scheduler.inventories(request.context, node["uuid"])) for node in nodes
        ]
        return Answer(200, {"host": views.host_view(service, with_inventories, servers, self._down_seconds)})

    def list_flavors(self, request: Request) -> Answer:
        """Every flavor."""
        return Answer(
            200,
            {
                "flavors": [
                    {
                        "name": flavor.name,
                        "vcpus": flavor.vcpus,
                        "memory_mib": flavor.memory_mb,
                        "disk_gib": flavor.root_gb,
                    }
                    for flavor in all_flavors()
                ]
            },
        )

    def list_images(self, request: Request) -> Answer:
        """Every image."""
        return Answer(200, {"images": [_image_view(image) for image in self._images.all_images()]})

    def add_image(self, request: Request) -> Answer:
        """Keep what is uploaded as an image."""
        disk_format = request.query.get("disk_format", "")
        image = self._images.add(request.names["image"], disk_format, request.data)
        return Answer(201, {"image": _image_view(image)})

    def delete_image(self, request: Request) -> Answer:
        """Remove an image; servers made of it stay."""
        self._images.remove(request.names["image"])
        return Answer(200, {})

    def _view(self, row: Fields) -> dict[str, Any]:
        with self._store.transaction() as records:
            cache = records.first("InstanceInfoCache", instance_uuid=row["uuid"])
            faults = records.find("InstanceFault", instance_uuid=row["uuid"])
        return views.server_view(row, cache, faults[-1] if faults else None)

    def _order(self, body: Mapping[str, Any]) -> NewServer:
        name = _text(body, "name")
        if not name or len(name) > _NAME_LENGTH or not name.isprintable() or _looks_like_uuid(name):
            raise BadRequest(f"a server needs a name of 1 to {_NAME_LENGTH} printable characters, not an id")
        network = _text(body, "network") or "auto"
        return NewServer(
            name=name,
            flavor=find_flavor(_text(body, "flavor") or ""),
            image=self._images.find(_text(body, "image") or ""),
            networks=(network,),
            address=_text(body, "address"),
            user_data=_text(body, "user_data"),
            config_drive=bool(body.get("config_drive", False)),
        )


def _image_view(image: Mapping[str, Any]) -> dict[str, Any]:
    return {name: image[name] for name in ("id", "name", "disk_format", "size")}


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{name} must be text")
    return value


def _looks_like_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _http_status(error: errors.NovaException) -> int:
    """The status for an error; a state that does not allow a verb is a conflict, as nova-api says it."""
    return 409 if isinstance(error, errors.InstanceInvalidState | errors.InstanceNotReady) else error.code


def _failure(status: int, kind: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": status, "type": kind, "message": message}})


Handler = Callable[[Api, Request], Answer]

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v1/host", Api.show_host),
    ("GET", "/v1/flavors", Api.list_flavors),
    ("GET", "/v1/images", Api.list_images),
    ("PUT", "/v1/images/(?P<image>[^/]+)", Api.add_image),
    ("DELETE", "/v1/images/(?P<image>[^/]+)", Api.delete_image),
    ("GET", "/v1/servers", Api.list_servers),
    ("POST", "/v1/servers", Api.create_server),
    ("GET", "/v1/servers/(?P<server>[^/]+)", Api.show_server),
    ("DELETE", "/v1/servers/(?P<server>[^/]+)", Api.delete_server),
    ("GET", "/v1/servers/(?P<server>[^/]+)/console", Api.show_console),
    ("POST", "/v1/servers/(?P<server>[^/]+)/(?P<verb>stop|start|reboot)", Api.act),
)


def _route(method: str, path: str) -> tuple[Handler, Mapping[str, str]]:
    allowed = []
    for allowed_method, pattern, handler in ROUTES:
        if match := re.fullmatch(pattern, path):
            if method == allowed_method:
                return handler, {name: unquote(part) for name, part in match.groupdict().items()}
            allowed.append(allowed_method)
    if allowed:
        raise BadRequest(f"{path} knows {', '.join(allowed)}, not {method}")
    raise errors.NotFound(f"there is no {path} here")
