"""A request to rebuild or evacuate a server, as its steps read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RebuildOrder:
    """One request, as it came, with its gaps filled."""

    instance: Any
    orig_image_ref: str | None
    image_ref: str | None
    injected_files: Sequence[Sequence[str]] = field(repr=False)
    admin_password: str | None = field(repr=False)
    orig_system_metadata: Mapping[str, str]
    bdms: Any
    is_on_shared_storage: bool | None
    """What the administrator said of an evacuated server's disks; None: this host is to see for itself."""
    preserves_ephemeral: bool
    migration: Any
    nodename: str | None
    limits: Any
    request_spec: Any
    accel_uuids: Sequence[str]
    reimages_boot_volume: bool
    target_state: str | None
