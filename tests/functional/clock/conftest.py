"""Fixtures of what happens at a start and by the clock."""

from __future__ import annotations

import pytest

from tests.functional.clock.world import World
from tests.functional.cloud import Cloud


@pytest.fixture
def world(cloud: Cloud) -> World:
    """A host whose agent has been started before and runs; nothing is counted yet."""
    world = World(cloud)
    world.forget_counts()
    return world
