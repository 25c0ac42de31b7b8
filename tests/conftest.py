"""What all tests share: the settings of hypothesis, and a compute's RPC door on an in-memory bus."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from computed.cmd.concurrency import ENVIRONMENT, EVENTLET

if TYPE_CHECKING:
    from tests.unit.rpc.world import Door

# A busy machine is slow, and that is no defect of what is tested.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("dealing").addoption(
        "--deal",
        type=int,
        metavar="ROUND",
        help="run each test with one of the two concurrency backends, in the next round with the other one",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    number = config.getoption("deal")
    if number is None:
        return
    config.hook.pytest_deselected(items=[item for item in items if not _is_dealt_to_this_run(item, number)])
    items[:] = [item for item in items if _is_dealt_to_this_run(item, number)]


def _is_dealt_to_this_run(item: pytest.Item, number: int) -> bool:
    """By its name, so that every run of a round says the same. The failure table deals itself out."""
    share = 1 if os.environ.get(ENVIRONMENT) == EVENTLET else 0
    is_mine = (zlib.crc32(item.nodeid.encode()) + number) % 2 == share
    return is_mine or item.nodeid.startswith("tests/functional/failures/")


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
