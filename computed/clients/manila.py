"""Manila as the file share service: the v2 API over keystoneauth."""

from __future__ import annotations

import logging
from typing import Any, Final

from computed import errors
from computed.clients.rest import RestClient, noun_of
from computed.clients.shares import ShareAccess

LOG = logging.getLogger(__name__)

Json = dict[str, Any]

_VERSION: Final = "2.82"
"""The first that can lock rules against the users of a share."""
_HEADERS: Final = {
    "X-OpenStack-Manila-API-Version": _VERSION,
    "OpenStack-API-Version": f"shared-file-system {_VERSION}",
}


class ManilaShares(RestClient):
    """Implements clients.shares.ShareService with manila.

    `count` is told "METHOD noun" of each request.
    """

    SECTION = "manila"
    ASKS_AS_ADMIN = True

    @property
    def is_configured(self) -> bool:
        """Whether section [manila] names a user of its own."""
        from computed.clients.keystone import has_own_user

        return has_own_user(self._conf, "manila")

    def rules(self, context: Any, share_id: str) -> list[ShareAccess]:
        """Every rule of a share."""
        refused = errors.ShareNotFound(share_id=share_id)
        answer = self._ask(context, "GET", f"share-access-rules?share_id={share_id}", share_id, refused)
        return [_access_of(rule) for rule in answer["access_list"]]

    def allow(self, context: Any, share_id: str, kind: str, to: str, *, reason: str) -> None:
        """Begin to let `to` read and write a share."""
        wanted = {
            "access_type": kind,
            "access_to": to,
            "access_level": "rw",
            "lock_visibility": True,
            "lock_deletion": True,
            "lock_reason": reason,
        }
        refused = errors.ShareAccessGrantError(share_id=share_id, reason="manila refuses it")
        answer = self._act(context, share_id, {"allow_access": wanted}, refused)
        given = _access_of(answer["access"])
        if (given.kind, given.to, given.level) != (kind, to, "rw"):
            raise errors.ShareAccessGrantError(share_id=share_id, reason="manila gave another access")

    def deny(self, context: Any, share_id: str, access: ShareAccess) -> None:
        """Begin to take a rule away, locked or not."""
        refused = errors.ShareAccessRemovalError(share_id=share_id, reason="manila refuses it")
        self._act(context, share_id, {"deny_access": {"access_id": access.id, "unrestrict": True}}, refused)

    def _act(self, context: Any, share_id: str, body: Json, refused: Exception) -> Json:
        return self._ask(context, "POST", f"shares/{share_id}/action", share_id, refused, body)

    def _ask(
        self,
        context: Any,
        method: str,
        path: str,
        share_id: str,
        refused: Exception,
        body: Json | None = None,
    ) -> Json:
        """The decoded answer; `refused` is raised when manila says that the request cannot be."""
        from keystoneauth1 import exceptions as ksa

        counted_as = f"{method} {noun_of(path)}"
        try:
            response = self._request(
                context, method, f"/{path}", counted_as=counted_as, json=body, headers=_HEADERS
            )
        except ksa.Unauthorized as exc:
            raise errors.Unauthorized("Manila does not know the user of section [manila].") from exc
        except ksa.ClientException as exc:
            raise errors.ManilaConnectionFailed(reason=type(exc).__name__) from exc
        status = int(response.status_code)
        if status >= 400:
            LOG.warning("Manila answered HTTP %d about share %s: %s", status, share_id, _fault(response))
            raise _error(status, share_id, refused)
        try:
            decoded: Json = response.json() if response.content else {}
        except ValueError as exc:
            raise errors.ManilaConnectionFailed(reason="its answer is not JSON") from exc
        return decoded


def _error(status: int, share_id: str, refused: Exception) -> Exception:
    if status == 404:
        return errors.ShareNotFound(share_id=share_id)
    if status == 401:
        return errors.Unauthorized("Manila does not know the user of section [manila].")
    if status == 403:
        return errors.Forbidden(f"Manila does not let nova's user do this with share {share_id}.")
    if status >= 500:
        return errors.ManilaConnectionFailed(reason=f"HTTP {status}")
    return refused


def _fault(response: Any) -> str:
    """Manila's own words, which stand in {"badRequest": {"message": ...}} and the like."""
    try:
        told = response.json()
        return str(next(iter(told.values()))["message"])
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return "no reason given"


def _access_of(rule: Json) -> ShareAccess:
    return ShareAccess(
        id=rule["id"],
        kind=rule["access_type"],
        to=rule["access_to"],
        level=rule["access_level"],
        state=rule.get("state", ""),
        key=rule.get("access_key"),
    )
