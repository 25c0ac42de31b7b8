"""The real placement application, run inside this process and reached through an ordinary HTTP session."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from oslo_context import context as oslo_context
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.response import HTTPResponse

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
RequestHook = Callable[[str, str], None]

LOCAL_URL = "http://placement.local"
"""Where a mounted application answers; never resolved, the session's transport keeps it in the process."""


def start_placement(db_url: str, *, durable: bool = True) -> WsgiApp:
    """Configure placement on the SQLite database `db_url`, make or upgrade its schema, return the WSGI app.

    `durable=False` trades fsync for speed (tests). placement keeps its database handle in a module, so a
    process has one placement at a time: starting another one points all earlier applications at the new
    database. Authentication is placement's own `noauth2` (token `admin`): nothing outside this process can
    reach the application. Needs the extra `alone`.
    """
    from oslo_config import cfg
    from placement import conf as placement_conf
    from placement import deploy, policy

    conf = cfg.ConfigOpts()
    placement_conf.register_opts(conf)
    conf.set_override("connection", db_url, group="placement_database")
    conf.set_override("auth_strategy", "noauth2", group="api")
    conf([], project="placement", default_config_files=[], default_config_dirs=[])
    _point_database_at(db_url, durable)
    app = deploy.deploy(conf)
    policy.reset()
    policy.init(conf, suppress_deprecation_warnings=True)
    deploy.update_database(conf)
    return _one_at_a_time(app)


def _point_database_at(db_url: str, durable: bool) -> None:
    """Give placement's module-wide transaction manager the engine of `db_url`, with an up-to-date schema."""
    import sqlalchemy
    from oslo_db.sqlalchemy import enginefacade
    from placement import db_api
    from placement.db.sqlalchemy import migration
    from placement.objects import resource_class, trait

    facade = enginefacade.transaction_context()
    facade.configure(connection=db_url, sqlite_synchronous=durable)
    db_api.placement_context_manager.patch_factory(facade)
    # These say that the standard traits and classes are in the database, which is untrue of another one.
    trait._TRAITS_SYNCED = False
    resource_class._RESOURCE_CLASSES_SYNCED = False
    if sqlalchemy.inspect(migration.get_engine()).get_table_names():
        migration.upgrade("head")
    else:
        migration.create_schema()
        migration.stamp("head", config=migration._alembic_config())


def _one_at_a_time(app: WsgiApp) -> WsgiApp:
    """Serialise requests: SQLite has one writer, and waiting is better than "database is locked"."""
    lock = threading.Lock()

    def serialised(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        caller = oslo_context.get_current()
        try:
            with lock:
                return list(app(environ, start_response))
        finally:
            # placement makes its own context that of the thread, which is the agent's.
            if caller is not None:
                caller.update_store()

    return serialised


class WsgiTransport(BaseAdapter):
    """A `requests` transport that calls a WSGI application instead of a socket.

    `on_request(method, path)` is told of every request, so that tests and the agent can count them.
    """

    def __init__(self, app: WsgiApp, on_request: RequestHook | None = None) -> None:
        super().__init__()
        self._app = app
        self.on_request = on_request

    def send(
        self,
        request: requests.PreparedRequest,
        *args: Any,
        **kwargs: Any,
    ) -> requests.Response:
        """Answer `request` by the application; never raises for an HTTP status."""
        environ = _environ(request)
        if self.on_request is not None:
            self.on_request(str(request.method), environ["PATH_INFO"])
        head: list[Any] = ["500 No response", []]

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            head[:] = [status, headers]

        body = b"".join(self._app(environ, start_response))
        return _response(request, head[0], head[1], body)

    def close(self) -> None:
        """Nothing is kept open."""


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    url = urlsplit(str(request.url))
    sent = request.body
    # Our client sends JSON, which requests has made text or bytes of: never a file or an iterator.
    body = sent.encode() if isinstance(sent, str) else sent if isinstance(sent, bytes) else b""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path) or "/",
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "localhost",
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        text = value.decode() if isinstance(value, bytes) else value
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    environ.setdefault("HTTP_HOST", url.netloc)
    environ.setdefault("CONTENT_LENGTH", str(len(body)))
    return environ


def _response(
    request: requests.PreparedRequest, status: str, headers: Iterable[tuple[str, str]], body: bytes
) -> requests.Response:
    code, _, reason = status.partition(" ")
    response = requests.Response()
    response.status_code = int(code)
    response.reason = reason
    response.headers = CaseInsensitiveDict(headers)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response.url = str(request.url)
    response.request = request
    response.raw = HTTPResponse(body=io.BytesIO(body), status=int(code), preload_content=False)
    return response


def mount(
    session: requests.Session,
    app: WsgiApp,
    *,
    url: str = LOCAL_URL,
    on_request: RequestHook | None = None,
) -> WsgiTransport:
    """Make `session` answer everything below `url` by `app`; other addresses go where they went before."""
    transport = WsgiTransport(app, on_request)
    session.mount(url, transport)
    return transport


def placement_adapter(app: WsgiApp, *, url: str = LOCAL_URL, on_request: RequestHook | None = None) -> Any:
    """A keystoneauth1 Adapter on `app`, with the rights of an administrator: what PlacementClient wants."""
    from keystoneauth1 import session as keystone_session
    from keystoneauth1 import token_endpoint
    from keystoneauth1.adapter import Adapter

    http = requests.Session()
    mount(http, app, url=url, on_request=on_request)
    headers: Mapping[str, str] = {"accept": "application/json"}
    return Adapter(
        keystone_session.Session(auth=token_endpoint.Token(url, "admin"), session=http),
        service_type="placement",
        endpoint_override=url,
        additional_headers=dict(headers),
        raise_exc=False,
    )
