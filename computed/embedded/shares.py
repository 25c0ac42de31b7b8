"""File shares of a cloud in one process: rules in memory, for tests; a real one-host cloud has none."""

from __future__ import annotations

import threading
import uuid as uuids
from dataclasses import replace
from typing import Any

from computed import errors
from computed.clients.shares import ShareAccess
from computed.embedded.answering import Answering


class EmbeddedShares(Answering):
    """Implements clients.shares.ShareService; nobody has shares before somebody has added one."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._rules: dict[str, list[ShareAccess]] = {}
        self.new_state = "active"
        """What a new rule is at once; a test sets "applying" and the rule stays so."""

    def add(self) -> str:
        """Have a share; returns its id."""
        share_id = str(uuids.uuid4())
        self._rules[share_id] = []
        return share_id

    def allowed(self, share_id: str) -> list[str]:
        """Who may use a share, as "kind to"."""
        with self._guard:
            return [f"{rule.kind} {rule.to}" for rule in self._rules[share_id]]

    @property
    def is_configured(self) -> bool:
        """Whether there is any share."""
        return bool(self._rules)

    def rules(self, context: Any, share_id: str) -> list[ShareAccess]:
        """Every rule of a share; raises ShareNotFound."""
        self.asked("rules")
        with self._guard:
            return list(self._of(share_id))

    def allow(self, context: Any, share_id: str, kind: str, to: str, *, reason: str) -> None:
        """Let `to` use a share; raises ShareNotFound, ShareAccessGrantError."""
        self.asked("allow")
        with self._guard:
            rules = self._of(share_id)
            if any((rule.kind, rule.to) == (kind, to) for rule in rules):
                raise errors.ShareAccessGrantError(share_id=share_id, reason="it has this rule")
            key = uuids.uuid4().hex if kind == "cephx" else None
            rules.append(ShareAccess(str(uuids.uuid4()), kind, to, "rw", self.new_state, key))

    def deny(self, context: Any, share_id: str, access: ShareAccess) -> None:
        """Take a rule away; raises ShareNotFound."""
        self.asked("deny")
        with self._guard:
            rules = self._of(share_id)
            rules[:] = [rule for rule in rules if rule.id != access.id]

    def set_state(self, share_id: str, state: str) -> None:
        """Let every rule of a share be in that state."""
        with self._guard:
            self._rules[share_id] = [replace(rule, state=state) for rule in self._rules[share_id]]

    def _of(self, share_id: str) -> list[ShareAccess]:
        if share_id not in self._rules:
            raise errors.ShareNotFound(share_id=share_id)
        return self._rules[share_id]
