"""What all tests share: the settings of hypothesis, and a compute's RPC door on an in-memory bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.unit.rpc.world import Door

# A busy machine is slow, and that is no defect of what is tested.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture(scope="session")
def running_door() -> Iterator[Door]:
    """One for the whole run: two would take each other's messages, and stopping takes seconds."""
    from tests.unit.rpc.world import WAIT_SECONDS, Door

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
    """The door with nothing behind it, and a conductor that writes down what it is asked."""
    from computed.objects.base import ComputedObject
    from tests.unit.rpc.world import WAIT_SECONDS

    running_door.reset()
    before = ComputedObject.indirection_api
    ComputedObject.indirection_api = running_door.conductor
    yield running_door
    ComputedObject.indirection_api = before
    assert running_door.inflight.wait_idle(WAIT_SECONDS), running_door.inflight.counts()
