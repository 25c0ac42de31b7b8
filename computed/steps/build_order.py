"""A request to build a server, as its steps and its failure legs read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class BuildOrder:
    """One request to build, as it came, with its gaps filled."""

    instance: Any
    image: Mapping[str, Any]
    request_spec: Any
    filter_properties: dict[str, Any]
    accel_uuids: Sequence[str]
    admin_password: str | None = field(repr=False)
    injected_files: Sequence[Sequence[str]] = field(repr=False)
    requested_networks: Any
    security_groups: Sequence[str]
    bdms: Any
    nodename: str
    limits: Any
    host_list: Any

    @property
    def key(self) -> str:
        """What tells this order from any other: the conductor asks a host once in each of its attempts."""
        retry = self.filter_properties.get("retry") or {}
        return f"{self.instance.uuid} {retry.get('num_attempts', 0)}"
