"""An owner of servers on a cloud of one host, and one on a cloud of two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


@pytest.fixture
def extracting_first(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver of the owner's host copies a disk before it uploads it."""
    driver = owner.cloud.host.driver
    plain = driver.snapshot

    def extract_first(context: Any, instance: Any, target: Any) -> None:
        target.extracting()
        plain(context, instance, target)

    monkeypatch.setattr(type(driver), "snapshots_upload_at_once", False)
    monkeypatch.setattr(driver, "snapshot", extract_first)
