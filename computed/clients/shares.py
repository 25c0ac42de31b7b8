"""What an operation may ask of a file share service, whichever it is (manila, or a test's own)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ShareAccess:
    """One rule that lets somebody use a share: `kind` is "ip" or "cephx", `to` an address or a name.

    `state` is active, error, new, queued_to_apply, applying, queued_to_deny, denying or denied; `key` is the
    secret that belongs to a cephx name.
    """

    id: str
    kind: str
    to: str
    level: str
    state: str
    key: str | None = field(default=None, repr=False)


class ShareService(Protocol):
    """Who may use which share.

    `context` is a RequestContext; everything is asked as the service's own user. Errors: ShareNotFound and
    those each method names; Forbidden, Unauthorized; ManilaConnectionFailed when the service did not answer.
    """

    @property
    def is_configured(self) -> bool:
        """Whether this host has a share service at all; without one it has no shares."""

    def rules(self, context: Any, share_id: str) -> list[ShareAccess]:
        """Every rule of a share."""

    def allow(self, context: Any, share_id: str, kind: str, to: str, *, reason: str) -> None:
        """Begin to let `to` read and write a share; the rule is locked against its users for `reason`.
        Raises ShareAccessGrantError."""

    def deny(self, context: Any, share_id: str, access: ShareAccess) -> None:
        """Begin to take a rule away, locked or not. Raises ShareAccessRemovalError."""
