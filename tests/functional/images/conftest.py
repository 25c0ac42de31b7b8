"""An owner of servers on a cloud of one host, and one on a cloud of two."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.functional.cloud import Cloud
from tests.functional.images.owner import Owner


@pytest.fixture
def owner(cloud: Cloud) -> Owner:
    return Owner(cloud)


@pytest.fixture
def keeper(make_cloud: Callable[..., Cloud]) -> Owner:
    """The owner on a host that keeps shelved servers."""
    return Owner(make_cloud({"shelved_offload_time": -1}))


@pytest.fixture
def mover(pair: Cloud) -> Owner:
    """The owner on a cloud of two hosts."""
    return Owner(pair)
