"""What an instance looks like at the other end of a move."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

HELD_PER_HOST = ("numa_topology", "pci_devices", "pci_requests", "resources")
"""Fields that differ between source and destination; a migration context has each as `old_` and `new_`."""


class MovingInstance:
    """The part of an instance that its migration context replaces."""

    migration_context: Any
    _changed_fields: set[str]

    def apply_migration_context(self) -> None:
        """Hold what was claimed at the destination; without a migration context nothing changes."""
        self._hold("new_")

    def revert_migration_context(self) -> None:
        """Hold again what was held at the source; without a migration context nothing changes."""
        self._hold("old_")

    def _hold(self, prefix: str) -> None:
        context = self.migration_context
        if context is None:
            return
        for name in HELD_PER_HOST:
            key = prefix + name
            setattr(self, name, getattr(context, key) if context.obj_attr_is_set(key) else None)

    @contextlib.contextmanager
    def mutated_migration_context(self, revert: bool = False) -> Iterator[None]:
        """For the length of a block look as at the destination (`revert`: at the source).

        A save inside the block would store the borrowed values; after it they count as never changed.
        """
        if self.migration_context is None:
            yield
            return
        own = {name: getattr(self, name) for name in HELD_PER_HOST}
        changed_before = set(self._changed_fields)
        self._hold("old_" if revert else "new_")
        try:
            yield
        finally:
            for name, value in own.items():
                setattr(self, name, value)
            self._changed_fields -= set(HELD_PER_HOST) - changed_before
