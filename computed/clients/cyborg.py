"""Cyborg as the accelerator service: the v2 API over keystoneauth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from computed import errors
from computed.clients.accelerators import AcceleratorRequest
from computed.clients.rest import RestClient

_REQUESTS: Final = "/accelerator_requests"


class CyborgAccelerators(RestClient):
    """Implements clients.accelerators.AcceleratorService with cyborg.

    `count` is told "METHOD" of each request.
    """

    SECTION = "cyborg"

    def requests_of(self, context: Any, instance_uuid: str) -> list[AcceleratorRequest]:
        """Every accelerator request of an instance."""
        response = self._ask(context, "GET", "get", {"instance": instance_uuid})
        try:
            found: list[AcceleratorRequest] = response.json()["arqs"]
        except (ValueError, KeyError, TypeError) as exc:
            raise _failed("get", "the answer is none of cyborg's") from exc
        return found

    def delete_of(self, context: Any, instance_uuid: str) -> None:
        """Delete the accelerator requests of an instance."""
        self._ask(context, "DELETE", "delete", {"instance": instance_uuid})

    def delete(self, context: Any, request_uuids: Sequence[str]) -> None:
        """Delete accelerator requests; cyborg deletes those that are there even if it misses others."""
        self._ask(context, "DELETE", "delete", {"arqs": ",".join(request_uuids)})

    def _ask(self, context: Any, method: str, operation: str, params: Mapping[str, str]) -> Any:
        from keystoneauth1 import exceptions as ksa

        try:
            response = self._request(context, method, _REQUESTS, counted_as=method, params=dict(params))
        except ksa.ClientException as exc:
            raise _failed(operation, f"cyborg cannot be asked ({type(exc).__name__})") from exc
        status = int(response.status_code)
        if status >= 400 and not (method == "DELETE" and status == 404):
            raise _failed(operation, f"cyborg answered HTTP {status}")
        return response


def _failed(operation: str, message: str) -> errors.AcceleratorRequestOpFailed:
    return errors.AcceleratorRequestOpFailed(op=operation, msg=message)
