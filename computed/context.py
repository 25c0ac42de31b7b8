"""The request context: who asks, with what rights, and under which request id."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Self

from oslo_context import context as oslo_context
from oslo_utils import timeutils

CATALOG_TYPES = frozenset(
    {
        "image",
        "block-storage",
        "volumev3",
        "key-manager",
        "placement",
        "network",
        "accelerator",
        "sharev2",
    }
)
"""Services of the catalog that travel with a request (contract objects.json, context)."""


class RequestContext(oslo_context.RequestContext):
    """A context with the keys that nova's services send beside every message."""

    def __init__(
        self,
        *,
        read_deleted: str = "no",
        remote_address: str | None = None,
        timestamp: Any = None,
        quota_class: str | None = None,
        service_catalog: Iterable[Mapping[str, Any]] | None = None,
        user_auth_plugin: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if read_deleted not in ("no", "yes", "only"):
            raise ValueError(f"read_deleted must be no, yes or only, not {read_deleted!r}")
        self.read_deleted = read_deleted
        self.remote_address = remote_address
        if isinstance(timestamp, str):
            # Microseconds may be missing and an offset present: not only computes write contexts.
            timestamp = timeutils.normalize_time(timeutils.parse_isotime(timestamp))
        self.timestamp = timestamp or timeutils.utcnow()
        self.quota_class = quota_class
        self.service_catalog = [dict(s) for s in service_catalog or () if s.get("type") in CATALOG_TYPES]
        self.user_auth_plugin = user_auth_plugin

    def to_dict(self) -> dict[str, Any]:
        """The context as it goes on the wire."""
        values: dict[str, Any] = super().to_dict()
        values.update(
            user_id=self.user_id,
            project_id=self.project_id,
            user_name=self.user_name,
            project_name=self.project_name,
            read_deleted=self.read_deleted,
            remote_address=self.remote_address,
            timestamp=self.timestamp.strftime("%Y-%m-%dT%H:%M:%S.%f"),
            quota_class=self.quota_class,
            service_catalog=self.service_catalog,
        )
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **kwargs: Any) -> Self:
        """The context of a message; keys that nobody knows are ignored."""
        own = ("read_deleted", "remote_address", "timestamp", "quota_class", "service_catalog")
        given = {key: values[key] for key in own if values.get(key) is not None}
        context: Self = super().from_dict(dict(values), **{**given, **kwargs})
        return context

    def elevated(self, read_deleted: str | None = None) -> Self:
        """A copy with the rights of an administrator."""
        context = copy.copy(self)
        context.roles = sorted({*self.roles, "admin"})
        context.is_admin = True
        if read_deleted is not None:
            context.read_deleted = read_deleted
        return context


def get_admin_context(read_deleted: str = "no") -> RequestContext:
    """The agent's own context: administrator, no user, no token."""
    return RequestContext(is_admin=True, read_deleted=read_deleted, overwrite=False)
