"""Who makes servers with volumes, in a cloud of one host and in one of two."""

from __future__ import annotations

import pytest

from tests.functional.cloud import Cloud
from tests.functional.volumes.keeper import VolumeKeeper


@pytest.fixture
def keeper(cloud: Cloud) -> VolumeKeeper:
    """On one host."""
    return VolumeKeeper(cloud)


@pytest.fixture
def movers(pair: Cloud) -> VolumeKeeper:
    """On two hosts."""
    return VolumeKeeper(pair)
