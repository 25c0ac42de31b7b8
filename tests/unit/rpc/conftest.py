"""Fixtures of the RPC door's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from computed.objects.base import ComputedObject
from tests.unit.rpc.world import WAIT_SECONDS, Door


@pytest.fixture(scope="session")
def running_door() -> Iterator[Door]:
    door = Door()
    door.servers.start()
    yield door
    door.servers.stop_primary()
    door.servers.stop_alternate()
    door.manager.close()
    assert door.inflight.wait_idle(WAIT_SECONDS), door.inflight.counts()
    door.servers.close()


@pytest.fixture
def door(running_door: Door) -> Iterator[Door]:
    running_door.reset()
    before = ComputedObject.indirection_api
    ComputedObject.indirection_api = running_door.conductor
    yield running_door
    ComputedObject.indirection_api = before
    assert running_door.inflight.wait_idle(WAIT_SECONDS), running_door.inflight.counts()
