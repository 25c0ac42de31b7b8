"""One hypervisor for all tests of this directory that ask for it, started when the first of them does."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.integration.agents import REAL_NETWORK, Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import BACKENDS
from tests.integration.libvirt.site import Site
from tests.integration.plane import install, waiting
from tests.integration.plane.hypervisor import Hypervisor, guests
from tests.integration.plane.plane import Plane
from tests.integration.plane.processes import DaemonDied


@pytest.fixture(scope="package")
def hypervisor(plane: Plane) -> Iterator[Hypervisor]:
    """libvirtd, Open vSwitch and neutron's agents for one host of the plane; gone afterwards."""
    if os.geteuid():
        pytest.skip("guests with interfaces need root")
    made = Hypervisor(plane)
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="package")
def site(cloud: Cloud, hypervisor: Hypervisor) -> Iterator[Site]:
    made = Site(cloud, hypervisor)
    yield made
    made.remove()


@pytest.fixture(scope="package")
def compute(plane: Plane, cloud: Cloud, hypervisor: Hypervisor, agent_kind: str) -> Iterator[Agent]:
    """The one agent of the hypervisor; a test may let it become the other kind, and back."""
    made = Agent(plane, hypervisor.host, agent_kind, BACKENDS[0], hypervisor.options(), REAL_NETWORK)
    _start_on_a_new_host(made, cloud)
    yield made
    if cloud.servers():
        install.say("left behind:", *(server.name for server in cloud.servers().values()))
        if not made.daemon.is_alive():
            cloud.say_down(made.host)
        cloud.delete(list(cloud.servers()), 60)
    made.daemon.stop()
    cloud.forget(made.host)


def _start_on_a_new_host(agent: Agent, cloud: Cloud) -> None:
    """Both agents refuse a new host that has guests already: wait until those of other users have gone."""
    for last in (False, False, True):
        waiting.until("no guests of others on this machine", _nobody_is_there, 120, 1)
        agent.start()
        try:
            cloud.wait_usable([agent])
            return
        except DaemonDied:
            if last or not guests(""):
                raise


def _nobody_is_there() -> None:
    if guests(""):
        raise waiting.NotYet(guests(""))
