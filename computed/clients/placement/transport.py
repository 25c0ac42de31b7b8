"""One placement request: sent, counted, and every way of not getting an answer made one error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from oslo_log import log as logging

from computed import errors

LOG = logging.getLogger(__name__)

_UNREACHABLE_STATUSES = frozenset({502, 503, 504})


class Transport:
    """Sends requests through a keystoneauth1 Adapter that is made when the first one is due.

    `requests` counts every request sent; `on_request(method, path)`, when set, is told of each. Safe for
    threads as far as the adapter is.
    """

    def __init__(self, adapter: Any = None, *, make_adapter: Callable[[], Any] | None = None) -> None:
        """Either a ready `adapter` or `make_adapter`, which may be slow or fail without harm to the start."""
        if (adapter is None) == (make_adapter is None):
            raise TypeError("give an adapter, or a way to make one")
        self._adapter = adapter
        self._make_adapter = make_adapter
        self._lock = threading.Lock()
        self.requests = 0
        self.on_request: Callable[[str, str], None] | None = None

    def send(
        self, context: Any, method: str, path: str, *, microversion: str | None = None, body: Any = None
    ) -> Any:
        """The response to one request, whatever its status.

        Without `microversion` no version header is sent, which means 1.0. `context` gives the request id
        and may be None. Raises PlacementAPIConnectFailure when placement, keystone or the way to them does
        not answer, and for the statuses that a proxy gives for a service that is down.
        """
        request_id = None if context is None else context.global_id
        headers = {"X-OpenStack-Request-ID": request_id} if request_id else {}
        arguments: dict[str, Any] = {"headers": headers, "microversion": microversion, "raise_exc": False}
        if body is not None:
            arguments["json"] = body
        self._count(method, path)
        try:
            response = self._ready_adapter().request(path, method, **arguments)
        except Exception as exc:
            raise self._unreachable(exc) from exc
        if response.status_code in _UNREACHABLE_STATUSES:
            raise errors.PlacementAPIConnectFailure(f"Placement answers {response.status_code} to {path}.")
        return response

    def _count(self, method: str, path: str) -> None:
        with self._lock:
            self.requests += 1
        if self.on_request is not None:
            self.on_request(method, path)

    def _ready_adapter(self) -> Any:
        with self._lock:
            if self._adapter is None:
                assert self._make_adapter is not None
                self._adapter = self._make_adapter()
                self._adapter.additional_headers = {"accept": "application/json"}
            return self._adapter

    def _unreachable(self, exc: Exception) -> errors.PlacementAPIConnectFailure:
        """The error to raise for `exc`; raises `exc` itself when it is not a failure of communication."""
        from keystoneauth1 import exceptions

        if not isinstance(exc, exceptions.ClientException):
            raise exc
        if self._make_adapter is not None and isinstance(exc, exceptions.EndpointNotFound):
            # The catalogue was read before placement was in it: log in again next time.
            with self._lock:
                self._adapter = None
        return errors.PlacementAPIConnectFailure(f"Placement cannot be reached: {exc}")


def problem(response: Any) -> tuple[str, str]:
    """Code and detail of an error answer; the code is empty below microversion 1.23."""
    try:
        error = response.json()["errors"][0]
        return str(error.get("code", "")), str(error.get("detail", response.text))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "", str(response.text)
