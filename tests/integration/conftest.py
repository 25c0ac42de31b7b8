"""Fixtures: one control plane for the session, agents with hosts of their own, and the people at the API.

Nothing here is collected by a plain `pytest`: `testpaths` does not name this directory.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from computed.context import RequestContext
from tests.integration.agents import COMPUTED, STOCK, Agent
from tests.integration.cloud import Cloud
from tests.integration.lanes import LANES, lane_of
from tests.integration.logs import LogWatch
from tests.integration.plane import install
from tests.integration.plane.plane import Plane
from tests.integration.plane.settings import Settings
from tests.integration.wiretap import Wiretap

BACKENDS = ("threading", "eventlet")
ONE_OF_BACKENDS = (pytest.param("threading", marks=pytest.mark.long), "eventlet")
"""Both, of which `.ci/run` has one: most other tests have agents of native threads."""
MakeAgents = Callable[..., list[Agent]]

# Every wait inside has its own limit; this one is for what nobody thought of.
_TEST_SECONDS = 420


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("integration")
    group.addoption(
        "--plane", metavar="DIR", help="use the control plane running in DIR and leave it running"
    )
    group.addoption(
        "--agent",
        choices=(COMPUTED, STOCK),
        default=COMPUTED,
        help="what to test: the agent of this repository, or stock nova-compute to prove the tests",
    )
    group.addoption(
        "--record", action="store_true", help="with --agent stock: write down what stock announces, as facts"
    )
    group.addoption(
        "--rounds", type=int, default=1, help="how often the verbs are repeated on each of five servers"
    )
    group.addoption(
        "--lane", choices=LANES, help="only the tests that use the control plane, or only those that do not"
    )
    group.addoption("--again", type=int, default=1, help="how often each chosen test runs, in a row")
    group.addoption("--keep-logs", action="store_true", help="keep the plane's logs even if all tests passed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times = metafunc.config.getoption("again")
    if times > 1:
        metafunc.fixturenames.append("again")
        metafunc.parametrize("again", range(1, times + 1))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lane = config.getoption("lane")
    if lane:
        config.hook.pytest_deselected(items=[item for item in items if lane_of(item) != lane])
        items[:] = [item for item in items if lane_of(item) == lane]
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TEST_SECONDS, func_only=True))


@pytest.fixture(scope="session")
def plane(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Plane]:
    """The control plane.  Its logs are kept, and named, when a test failed."""
    existing = pytestconfig.getoption("plane")
    if existing:
        attached = Plane.attach(Path(existing).absolute())
        yield attached
        attached.detach()
        return
    made = Plane.create()
    keep = True
    try:
        made.up()
        yield made
        keep = bool(request.session.testsfailed) or pytestconfig.getoption("keep_logs")
    finally:
        made.down(keep_logs=keep)


@pytest.fixture(scope="session")
def settings(plane: Plane) -> Settings:
    return plane.settings


@pytest.fixture(scope="session")
def cloud(settings: Settings) -> Cloud:
    return Cloud(settings)


@pytest.fixture(scope="session")
def admin(cloud: Cloud) -> Any:
    """An openstacksdk connection with the admin role, in the project of ``demo``."""
    return cloud.admin


@pytest.fixture(scope="session")
def demo(cloud: Cloud) -> Any:
    """An openstacksdk connection of an ordinary user."""
    return cloud.demo


@pytest.fixture(scope="module")
def context(cloud: Cloud) -> RequestContext:
    """A request of the ordinary user's, as it comes to an agent."""
    session = cloud.demo.session
    return RequestContext(
        user_id=session.get_user_id(), project_id=session.get_project_id(), auth_token=session.get_token()
    )


@pytest.fixture(scope="session")
def agent_kind(pytestconfig: pytest.Config) -> str:
    return str(pytestconfig.getoption("agent"))


@pytest.fixture(scope="session")
def _host_names() -> Iterator[str]:
    # The process id keeps the hosts of several runs on one plane apart.
    return (f"host{number}-{os.getpid()}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def backend() -> str:
    """The agent's concurrency backend; a module parametrises it to run on both."""
    return BACKENDS[0]


@pytest.fixture(scope="module")
def agents(
    plane: Plane, cloud: Cloud, agent_kind: str, backend: str, _host_names: Iterator[str]
) -> Iterator[MakeAgents]:
    """``agents(count, kind=..., backend=..., options=...)`` starts usable agents on new hosts.

    At the end of the module their servers are deleted, the agents stopped and their hosts forgotten.
    """
    made: list[Agent] = []

    def make(
        count: int = 1, *, kind: str = agent_kind, backend: str = backend, wait: bool = True, **options: Any
    ) -> list[Agent]:
        new = [Agent(plane, next(_host_names), kind, backend, **options) for _ in range(count)]
        made.extend(new)
        for agent in new:
            agent.start()
        if wait:
            cloud.wait_usable(new)
        return new

    yield make
    _clear(cloud, made)


def _clear(cloud: Cloud, agents: list[Agent]) -> None:
    for agent in agents:
        if not agent.daemon.is_alive():
            cloud.say_down(agent.host)
    try:
        if cloud.servers():
            cloud.delete(list(cloud.servers()), 60)
    except AssertionError as left:
        # The test that left them has failed already; the next module must not.
        install.say("left behind:", left)
    for agent in agents:
        agent.daemon.terminate()
    for agent in agents:
        agent.daemon.stop()
        cloud.forget(agent.host)


@pytest.fixture(scope="module")
def control_logs(plane: Plane) -> LogWatch:
    """What the control plane's services logged from here on."""
    return LogWatch(plane.settings.log, ("nova", "nova-conductor", "nova-scheduler"))


@pytest.fixture
def wiretap(settings: Settings) -> Iterator[Wiretap]:
    """All messages of the broker, from here to the end of the test."""
    with Wiretap(settings) as tap:
        yield tap
