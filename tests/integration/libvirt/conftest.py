"""One hypervisor for all tests of this directory that ask for it, started when the first of them does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.agents import REAL_NETWORK, Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import BACKENDS
from tests.integration.libvirt import own_libvirtd as own_libvirtd_module
from tests.integration.libvirt.alone import AloneCloud
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd
from tests.integration.libvirt.site import Site
from tests.integration.plane import install, waiting
from tests.integration.plane.hypervisor import Hypervisor, guests
from tests.integration.plane.plane import Plane
from tests.integration.plane.processes import DaemonDied

_SMALL_MIB = 8


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


@pytest.fixture(scope="module")
def open_directory() -> Iterator[Path]:
    """A directory that QEMU may pass through, and that libvirtd sees with all that is mounted there."""
    with own_libvirtd_module.open_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def own_libvirtd(open_directory: Path) -> Iterator[OwnLibvirtd]:
    """A libvirtd that nobody else uses."""
    if os.geteuid():
        pytest.skip("a libvirtd of our own needs root")
    with own_libvirtd_module.running(open_directory) as made:
        yield made


@pytest.fixture(scope="module")
def root_libvirtd() -> Iterator[OwnLibvirtd]:
    """One that runs QEMU as root: disks may lie anywhere."""
    if os.geteuid():
        pytest.skip("a libvirtd of our own needs root")
    with (
        own_libvirtd_module.open_directory() as directory,
        own_libvirtd_module.running(directory, is_root=True) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def small(open_directory: Path, own_libvirtd: OwnLibvirtd) -> Iterator[Path]:
    """A directory that is soon full, where libvirtd sees it."""
    directory = open_directory / "small"
    directory.mkdir()
    own_libvirtd_module.mount("-t", "tmpfs", "-o", f"size={_SMALL_MIB}m,mode=0711", "none", directory)
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True, timeout=20)


@pytest.fixture
def make_alone(open_directory: Path, own_libvirtd: OwnLibvirtd) -> Iterator[Callable[..., AloneCloud]]:
    """Makes one-host clouds, started: `make_alone(settings, virt_type="lxc")`; each ends with the test."""
    made: list[AloneCloud] = []

    def make(settings: str = "", *, virt_type: str = "qemu", start: bool = True) -> AloneCloud:
        directory = open_directory / f"cloud{len(list(open_directory.glob('cloud*')))}"
        directory.mkdir()
        made.append(AloneCloud(directory, own_libvirtd, settings, virt_type=virt_type))
        if start:
            made[-1].start()
        return made[-1]

    yield make
    for cloud in made:
        cloud.kill()
    for cloud in made:
        cloud.sweep()
