"""A whole agent on a libvirtd of its own: what an audit and a power sync ask of it, and what follows when it
is lost: the service leaves the schedulers' sight, and nothing happens to instances."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest

from computed.cmd.concurrency import ENVIRONMENT, THREADING
from computed.states import PowerState, VmState
from computed.virt.libvirt.host import Host
from computed.virt.libvirt.power_states import power_state
from tests.functional.cloud import Cloud
from tests.functional.fleet import HOST
from tests.functional.templates import Templates
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd
from tests.integration.libvirt.spectator import Spectator, until
from tests.unit.virt.libvirt.recorded_host import conf_of

GUESTS = 100
DOMAIN = """
<domain type='qemu'>
  <name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <disk type='file'><driver type='raw'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
  </devices>
</domain>
"""


@pytest.fixture(scope="module")
def cloud(own_libvirtd: OwnLibvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud whose one host has GUESTS instances, all off, under libvirt.

    They were booted under the fake driver: what takes long in a real boot is not what is counted here.
    """
    empty = Templates(tmp_path_factory.mktemp("templates")).of(())
    directory = tmp_path_factory.mktemp("cloud")
    options = {
        "fake.nodes": [socket.gethostname()],
        "instances_path": str(directory / "instances"),
        "libvirt.virt_type": "qemu",
        "libvirt.connection_uri": own_libvirtd.uri(),
    }
    made = Cloud(directory, empty, os.environ.get(ENVIRONMENT, THREADING), options)
    try:
        made.boot(GUESTS)
        made.stop_agent()
        give_guests(made, own_libvirtd)
        made.first.conf.set_override("compute_driver", "libvirt.LibvirtDriver")
        made.start_agent()
        yield made
    finally:
        made.close()


def give_guests(cloud: Cloud, own_libvirtd: OwnLibvirtd) -> None:
    """The same servers, as libvirt would have them after they were stopped."""
    connection = Spectator().connect(own_libvirtd.uri())
    for uuid in cloud.uuids():
        cloud.set_fields(uuid, vm_state=VmState.STOPPED, power_state=PowerState.SHUTDOWN)
        directory = cloud.directory / "instances" / uuid
        directory.mkdir(parents=True)
        with (directory / "disk").open("wb") as disk:
            disk.truncate(1 << 30)
        name = f"instance-{cloud.row(uuid)['id']:08x}"
        connection.define(DOMAIN.format(name=name, uuid=uuid, disk=directory / "disk"))
    connection.close()


@pytest.fixture
def calls(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every call of libvirt, by the name of its C function."""
    noted = Noted(libvirt.libvirtmod)
    monkeypatch.setattr(libvirt, "libvirtmod", noted)
    return noted.made


class Noted:
    """libvirt-python's way into libvirt; notes what libvirtd is asked."""

    _OF_ITSELF = re.compile("virDomain(GetUUIDString|GetName|GetID|Free)|virConnectIsAlive")

    def __init__(self, module: Any) -> None:
        self._module = module
        self.made: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("virConnect", "virDomain", "virNode")) and not self._OF_ITSELF.fullmatch(
            name
        ):
            self.made.append(name)
        return getattr(self._module, name)


def service(cloud: Cloud) -> tuple[bool, str | None]:
    row = cloud.rows("Service", host=HOST, binary="nova-compute")[0]
    return row["disabled"], row["disabled_reason"]


def records(cloud: Cloud) -> set[tuple[str, int, str | None]]:
    rows = (cloud.row(uuid) for uuid in cloud.uuids())
    return {(row["vm_state"], row["power_state"], row["task_state"]) for row in rows}


@pytest.mark.long
def test_an_audit_of_many_guests_asks_six_times(cloud: Cloud, calls: list[str]) -> None:
    cloud.run_periodic("update_available_resource")
    assert len(calls) <= 6, calls
    assert calls.count("virConnectGetAllDomainStats") == 1
    [node] = cloud.rows("ComputeNode", host=HOST)
    assert (node["hypervisor_type"], node["running_vms"]) == ("QEMU", GUESTS)
    # A GiB each is promised, and nothing is taken yet.
    free_gib = node["disk_available_least"] + GUESTS
    space = cloud.agents[HOST].host.driver._engine.host.disk_space()  # type: ignore[attr-defined]
    assert abs(free_gib - space.free_bytes / (1 << 30)) < 2


@pytest.mark.long
def test_a_power_sync_of_many_guests_asks_once(cloud: Cloud, calls: list[str]) -> None:
    cloud.run_periodic("_sync_power_states")
    cloud.settle()
    assert calls == ["virConnectGetAllDomainStats"]
    assert records(cloud) == {("stopped", PowerState.SHUTDOWN, None)}


@pytest.mark.long
@pytest.mark.parametrize("silence", ["killed", "frozen"])
def test_libvirt_lost_and_found(cloud: Cloud, own_libvirtd: OwnLibvirtd, silence: str) -> None:
    before = records(cloud)
    own_libvirtd.kill() if silence == "killed" else own_libvirtd.freeze()
    # What is silent is given up after the keepalive's 25 s.
    cloud.wait(lambda: service(cloud)[0], "the service to be disabled", seconds=45)
    reason = service(cloud)[1]
    assert reason is not None and reason.startswith("AUTO: ") and "libvirt" in reason
    for task in ("_sync_power_states", "update_available_resource", "_cleanup_running_deleted_instances"):
        cloud.run_periodic(task)
    cloud.settle()
    assert records(cloud) == before
    own_libvirtd.start() if silence == "killed" else own_libvirtd.thaw()
    cloud.wait(lambda: service(cloud) == (False, None), "the service to be enabled", seconds=30)
    cloud.run_periodic("_sync_power_states")
    cloud.settle()
    assert records(cloud) == before


def test_libvirts_own_test_driver_is_a_host_too(tmp_path: Path) -> None:
    connection = Spectator().connect("test:///default")
    host = Host(connection, conf_of(tmp_path))
    assert host.node_name() == connection.call("getHostname")
    resources = host.resources(host.node_name())
    assert (resources.hypervisor_type, resources.vcpus > 0, resources.memory_mib > 0) == ("TEST", True, True)
    states = host.states()
    assert {state.power_state for state in states.values()} == {power_state(1)}
    assert set(states) == {guest.uuid for guest in connection.guests()}
    assert not host.reading().domains
    connection.close()


def test_facts_are_read_again_when_libvirt_has_come_back(own_libvirtd: OwnLibvirtd, tmp_path: Path) -> None:
    connection = Spectator().connect(own_libvirtd.uri())
    host = Host(connection, conf_of(tmp_path))
    first = host.facts()
    assert first.domains["x86_64", "q35"].machine in first.machine_types["x86_64"]
    assert host.facts() is first
    own_libvirtd.kill()
    own_libvirtd.start()
    until(lambda: connection.generation == 2, "the connection")
    # Where the firmware has no uuid, every libvirtd makes up one.
    again = host.facts()
    assert again is not first and again == replace(first, host_uuid=again.host_uuid)
    connection.close()
