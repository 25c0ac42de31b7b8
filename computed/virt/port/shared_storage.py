"""How two hosts find out whether they see the same disks: one puts a mark down, the other looks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SharedStoragePort:
    """The side that puts the mark down; `sees_shared_storage` is the other one.

    A driver whose disks lie on this host only leaves the default: NotImplementedError.
    """

    def mark_storage(self, context: Any, instance: Any) -> Mapping[str, Any] | None:
        """Put a mark beside an instance's disks; answers what the other host must know to find it. None: no
        mark is needed, the disks lie where every host sees them."""
        raise NotImplementedError

    def unmark_storage(self, context: Any, data: Mapping[str, Any]) -> None:
        """Take the mark away again."""
        raise NotImplementedError
