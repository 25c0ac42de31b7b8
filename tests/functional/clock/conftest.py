"""Fixtures of what happens at a start and by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("placement")

from computed.embedded.placement_app import start_placement
from tests.functional.clock.world import World, own_conductor


@pytest.fixture(scope="session")
def empty_placement(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("placement") / "empty.db"
    start_placement(f"sqlite:///{path}", durable=False)
    return path


@pytest.fixture
def world(tmp_path: Path, empty_placement: Path) -> Iterator[World]:
    """A host whose agent has been started once and runs."""
    with own_conductor():
        world = World(tmp_path, empty_placement)
        try:
            world.start()
            world.forget_counts()
            yield world
        finally:
            world.stop()
