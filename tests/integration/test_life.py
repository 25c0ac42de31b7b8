"""The life of twenty servers on two agents: boot, power, console, a crash, delete, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.integration.agents import Agent
from tests.integration.cloud import Cloud
from tests.integration.conftest import ONE_OF_BACKENDS, MakeAgents
from tests.integration.logs import LogWatch

COUNT = 20


@dataclass
class Fleet:
    """The agents and the servers on them; the tests of this module use them in order."""

    agents: list[Agent]
    servers: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> list[str]:
        return [agent.host for agent in self.agents]


@pytest.fixture(scope="module", params=ONE_OF_BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fleet(agents: MakeAgents, cloud: Cloud, control_logs: LogWatch) -> Iterator[Fleet]:
    pair = agents(2)
    yield Fleet(pair, cloud.boot(COUNT, "life"))


def test_all_servers_become_active(fleet: Fleet, cloud: Cloud) -> None:
    servers = cloud.wait_status(fleet.servers, "ACTIVE")
    assert {server.compute_host for server in servers.values()} == set(fleet.hosts)
    assert {server.power_state for server in servers.values()} == {1}
    assert all(server.launched_at for server in servers.values())


def test_all_ports_are_bound_and_active(fleet: Fleet, cloud: Cloud) -> None:
    ports = cloud.wait_ports_active(fleet.servers)
    where = {key: server.compute_host for key, server in cloud.servers(fleet.servers).items()}
    assert {port.device_id: port.binding_host_id for port in ports} == where
    assert {port.binding_vif_type for port in ports} == {"ovs"}


def test_servers_know_their_addresses(fleet: Fleet, cloud: Cloud) -> None:
    fixed = {port.device_id: port.fixed_ips[0]["ip_address"] for port in cloud.ports(fleet.servers)}
    shown = {
        key: [address["addr"] for network in server.addresses.values() for address in network]
        for key, server in cloud.servers(fleet.servers).items()
    }
    assert shown == {key: [address] for key, address in fixed.items()}


def test_allocations_are_what_the_flavor_asks(fleet: Fleet, cloud: Cloud) -> None:
    found = {}
    for host in fleet.hosts:
        hypervisor = cloud.hypervisor(host)
        assert hypervisor is not None
        for consumer, allocation in cloud.provider(hypervisor["id"], "allocations")["allocations"].items():
            found[consumer] = allocation["resources"]
    assert found == {key: {"VCPU": 1, "MEMORY_MB": 64, "DISK_GB": 1} for key in fleet.servers}


def test_stop_and_start(fleet: Fleet, cloud: Cloud) -> None:
    cloud.each(fleet.servers, cloud.demo.compute.stop_server)
    stopped = cloud.wait_status(fleet.servers, "SHUTOFF")
    assert {server.power_state for server in stopped.values()} == {4}
    cloud.each(fleet.servers, cloud.demo.compute.start_server)
    started = cloud.wait_status(fleet.servers, "ACTIVE")
    assert {server.power_state for server in started.values()} == {1}


@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
def test_reboot(kind: str, fleet: Fleet, cloud: Cloud) -> None:
    cloud.each(fleet.servers, cloud.demo.compute.reboot_server, kind)
    cloud.wait_status(fleet.servers, "ACTIVE")
    assert cloud.actions(fleet.servers[0])["reboot"][-1] == ("compute_reboot_instance", "Success")


def test_a_hard_reboot_starts_a_stopped_server(fleet: Fleet, cloud: Cloud) -> None:
    some = fleet.servers[:2]
    cloud.each(some, cloud.demo.compute.stop_server)
    cloud.wait_status(some, "SHUTOFF")
    cloud.each(some, cloud.demo.compute.reboot_server, "HARD")
    cloud.wait_status(some, "ACTIVE")


def test_console_log(fleet: Fleet, cloud: Cloud) -> None:
    for server in fleet.servers[:4]:
        answer = cloud.demo.compute.get_server_console_output(server)
        assert answer["output"].strip()


def test_actions_of_a_boot_and_of_power_verbs_succeeded(fleet: Fleet, cloud: Cloud) -> None:
    actions = cloud.actions(fleet.servers[0])
    assert set(actions) == {"create", "stop", "start", "reboot"}
    assert ("compute__do_build_and_run_instance", "Success") in actions["create"]
    assert ("compute_stop_instance", "Success") in actions["stop"]
    assert ("compute_start_instance", "Success") in actions["start"]
    assert {result for events in actions.values() for _, result in events} == {"Success"}


def test_killed_agents_find_their_servers_again(fleet: Fleet, cloud: Cloud) -> None:
    before = {key: (server.compute_host, server.launched_at) for key, server in cloud.servers().items()}
    for agent in fleet.agents:
        agent.kill()
    for agent in fleet.agents:
        agent.start()
    cloud.wait_heartbeat(fleet.agents)
    servers = cloud.wait_status(fleet.servers, "ACTIVE")
    after = {key: (server.compute_host, server.launched_at) for key, server in servers.items()}
    assert after == before
    assert not [server.fault for server in servers.values() if server.fault]
    assert {server.power_state for server in servers.values()} == {1}


def test_they_still_obey_after_the_crash(fleet: Fleet, cloud: Cloud) -> None:
    some = fleet.servers[::5]
    cloud.each(some, cloud.demo.compute.stop_server)
    cloud.wait_status(some, "SHUTOFF")
    cloud.each(some, cloud.demo.compute.start_server)
    cloud.wait_status(some, "ACTIVE")


def test_delete_leaves_nothing(fleet: Fleet, cloud: Cloud) -> None:
    cloud.delete(fleet.servers)
    assert cloud.ports(fleet.servers) == []
    for agent in fleet.agents:
        hypervisor = cloud.hypervisor(agent.host)
        assert hypervisor is not None
        assert cloud.provider(hypervisor["id"], "allocations")["allocations"] == {}
        assert not [entry.name for entry in agent.instances.iterdir() if entry.name in fleet.servers]


def test_the_control_plane_logged_no_error_about_them(fleet: Fleet, control_logs: LogWatch) -> None:
    assert control_logs.errors_about([*fleet.hosts, *fleet.servers]) == []
