"""One caller's view of neutron's REST API: requests counted, retried and their failures translated."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from computed import errors
from computed.clients.neutron.faults import About, error_for

LOG = logging.getLogger(__name__)

Json = dict[str, Any]
Filter = str | Iterable[str]

# A filter repeats in the URL once per value; servers commonly take 8 KiB of it.
_VALUES_PER_REQUEST = 150
_FIRST_PAUSE_SECONDS = 0.5


class NeutronRest:
    """Neutron as seen with one token: the user's, or the one of section [neutron] (`is_admin`).

    Errors: those of `faults.error_for`; NetworkServiceUnavailable when no answer came.
    """

    def __init__(
        self, adapter: Any, *, is_admin: bool, retries: int = 0, count: Callable[[str], None] | None = None
    ) -> None:
        self._adapter = adapter
        self._retries = retries
        self._count = count
        self.is_admin = is_admin

    def search(self, noun: str, **filters: Filter) -> list[Json]:
        """All `noun` ("ports", "networks", ...) that match; a filter with no value at all matches nothing."""
        found: list[Json] = []
        for params in _queries(filters):
            answer = self._request("GET", noun, About(f"list {noun}"), params=params)
            found.extend(answer[noun.replace("-", "_")])
        return found

    def show(self, path: str, about: About) -> Json:
        """The decoded answer of GET /v2.0/`path`."""
        return self._request("GET", path, about)

    def create_port(self, port: Json) -> Json:
        """POST a port; returns it as neutron made it."""
        fixed_ips = port.get("fixed_ips") or [{}]
        about = About(
            "create a port",
            network_id=port["network_id"],
            address=fixed_ips[0].get("ip_address"),
            mac_address=port.get("mac_address"),
        )
        made: Json = self._request("POST", "ports", about, body={"port": port})["port"]
        return made

    def update_port(self, port_id: str, port: Json) -> Json:
        """PUT attributes of a port; returns the whole port."""
        about = About("update a port", port_id=port_id, mac_address=port.get("mac_address"))
        updated: Json = self._request("PUT", f"ports/{port_id}", about, body={"port": port})["port"]
        return updated

    def create_binding(self, port_id: str, binding: Json) -> Json:
        """POST a binding (`host`, `vnic_type`, `profile`); returns it, inactive if another is not."""
        about = About("bind a port", port_id=port_id)
        path = f"ports/{port_id}/bindings"
        made: Json = self._request("POST", path, about, body={"binding": binding})["binding"]
        return made

    def show_binding(self, port_id: str, host: str) -> Json:
        """The binding of a port to `host`."""
        about = About("show the binding of a port", port_id=port_id)
        found: Json = self._request("GET", f"ports/{port_id}/bindings/{host}", about)["binding"]
        return found

    def activate_binding(self, port_id: str, host: str) -> None:
        """Make the binding to `host` the active one, and what was active inactive."""
        about = About("activate the binding of a port", port_id=port_id)
        self._request("PUT", f"ports/{port_id}/bindings/{host}/activate", about)

    def delete_binding(self, port_id: str, host: str) -> None:
        """DELETE a binding; one that is gone already, or whose port is, is as good as deleted."""
        about = About("delete the binding of a port", port_id=port_id)
        try:
            self._request("DELETE", f"ports/{port_id}/bindings/{host}", about)
        except errors.PortNotFound:
            LOG.debug("Port %s is gone with its binding to %s", port_id, host)
        except errors.NetworkRequestRefused as error:
            if error.status != 404:
                raise
            LOG.debug("Port %s has no binding to %s", port_id, host)

    def delete_port(self, port_id: str) -> None:
        """DELETE a port; one that is gone already is as good as deleted."""
        try:
            self._request("DELETE", f"ports/{port_id}", About("delete a port", port_id=port_id))
        except errors.PortNotFound:
            LOG.debug("Port %s is gone: there is nothing to delete", port_id)

    def _request(
        self,
        method: str,
        path: str,
        about: About,
        *,
        params: Iterable[tuple[str, str]] = (),
        body: Json | None = None,
    ) -> Json:
        if self._count is not None:
            self._count(f"{method} {path.partition('/')[0]}")
        response = self._send(method, path, about, list(params), body)
        answer = _decoded(response)
        if response.status_code >= 400:
            raise error_for(response.status_code, answer, about, is_admin=self.is_admin)
        if answer is None and method != "DELETE":
            raise errors.NetworkServiceUnavailable(f"Neutron's answer to {about.what} is not JSON")
        return answer or {}

    def _send(
        self, method: str, path: str, about: About, params: list[tuple[str, str]], body: Json | None
    ) -> Any:
        """Send, again after a lost connection: always when the request changes nothing the second time,
        but a POST only when it never reached the server, else there would be two ports."""
        from keystoneauth1 import exceptions as ksa

        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(self._retries + 1):
            try:
                return self._adapter.request(
                    f"/v2.0/{path}", method, params=params, json=body, raise_exc=False, connect_retries=0
                )
            except ksa.ConnectFailure as exc:
                if attempt == self._retries or (method == "POST" and not _never_sent(exc)):
                    raise _unreachable(about, exc) from exc
            except ksa.Unauthorized as exc:
                raise error_for(401, None, about, is_admin=self.is_admin) from exc
            except ksa.ClientException as exc:
                raise _unreachable(about, exc) from exc
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")


def _unreachable(about: About, exc: Exception) -> errors.NetworkServiceUnavailable:
    return errors.NetworkServiceUnavailable(f"Neutron cannot be asked to {about.what}: {type(exc).__name__}")


def _never_sent(exc: BaseException) -> bool:
    """Whether the connection was not even made: keystoneauth hides urllib3's reason in the causes."""
    seen: BaseException | None = exc
    while seen is not None:
        reasons = [seen, *seen.args]
        if any(type(getattr(r, "reason", r)).__name__ == "NewConnectionError" for r in reasons):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _decoded(response: Any) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return None


def _queries(filters: Mapping[str, Filter]) -> Iterator[list[tuple[str, str]]]:
    """Query strings that together ask for `filters`; the one filter with many values is cut into pieces."""
    single = [(name, value) for name, value in filters.items() if isinstance(value, str)]
    several = {name: sorted(set(v)) for name, v in filters.items() if not isinstance(v, str)}
    if not several:
        yield single
        return
    (name, values), *others = sorted(several.items(), key=lambda item: -len(item[1]))
    fixed = single + [(other, value) for other, vs in others for value in vs]
    if any(not vs for _, vs in others):
        return
    for start in range(0, len(values), _VALUES_PER_REQUEST):
        yield fixed + [(name, value) for value in values[start : start + _VALUES_PER_REQUEST]]
