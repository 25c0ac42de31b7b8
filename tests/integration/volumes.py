"""The volumes of the project of ``demo`` in the real cinder; every wait is bounded."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tests.integration.plane import waiting


class Volumes:
    """``api`` is the block storage proxy of openstacksdk."""

    def __init__(self, api: Any) -> None:
        self.api = api

    def create(self, count: int, **extra: Any) -> list[str]:
        """New volumes of a gibibyte each, available."""
        made = [self.api.create_volume(size=1, name=f"volume-{n}", **extra).id for n in range(count)]
        for volume in made:
            self.api.wait_for_status(self.api.get_volume(volume), "available", interval=0.3, wait=60)
        return made

    def wait(self, ids: Collection[str], status: str, seconds: float = 60) -> None:
        """Until all these volumes have ``status``."""

        def probe() -> None:
            found = {v.id: v.status for v in self.api.volumes()}
            others = {key: found.get(key) for key in ids if found.get(key) != status}
            if others:
                raise waiting.NotYet(others)

        waiting.until(f"volumes {status}", probe, seconds, 0.3)

    def clear(self) -> None:
        """Delete the snapshots, and those volumes that nobody has attached; wait until they are gone."""
        self.clear_snapshots()
        free = [v.id for v in self.api.volumes() if v.status in ("available", "error")]
        for volume in free:
            self.api.delete_volume(volume)

        def probe() -> None:
            left = {v.id: v.status for v in self.api.volumes() if v.id in free}
            if left:
                raise waiting.NotYet(left)

        waiting.until("volumes deleted", probe, 60, 0.5)

    def clear_snapshots(self) -> None:
        for snapshot in self.api.snapshots():
            self.api.delete_snapshot(snapshot)

        def probe() -> None:
            left = [snapshot.status for snapshot in self.api.snapshots()]
            if left:
                raise waiting.NotYet(left)

        waiting.until("snapshots deleted", probe, 60, 0.5)
