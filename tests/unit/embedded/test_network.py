"""Ports of the one-host cloud's network: given, moved between hosts, given back."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace
from typing import Any

import pytest

from computed import errors, objects
from computed.embedded.network import BridgeNetwork
from computed.embedded.store import Store
from computed.embedded.subnet import Subnet
from computed.objects.network_model import NetworkInfo
from computed.virt.libvirt.config_drive.network_data import describe

HERE, THERE = "here", "there"


@pytest.fixture
def network() -> BridgeNetwork:
    cidr = ipaddress.ip_network("192.0.2.0/29")
    return BridgeNetwork(Store(), Subnet("br0", cidr, cidr[1], (), 1500))


def instance(uuid: str = "11111111-1111-4111-8111-111111111111") -> Any:
    return SimpleNamespace(uuid=uuid, info_cache=None, obj_attr_is_set=lambda name: True)


def wanting(**request: Any) -> Any:
    return objects.NetworkRequestList(objects=[objects.NetworkRequest(**request)])


def allocate(network: BridgeNetwork, requested: Any = None) -> str:
    made = network.allocate(None, instance(), host=HERE, requested=requested, security_groups=())
    return str(made[0]["id"])


def bindings(network: BridgeNetwork, port_id: str) -> tuple[str | None, list[str]]:
    with network._store.transaction() as records:
        (row,) = records.find("Port", uuid=port_id)
    return row.get("host"), list(row.get("inactive_hosts", ()))


def test_a_second_binding_is_made_switched_to_and_the_first_one_deleted(network: BridgeNetwork) -> None:
    port_id = allocate(network)
    for _ in range(2):
        made = network.create_bindings(None, instance(), host=THERE)
        assert made[port_id]["status"] == "INACTIVE"
    assert bindings(network, port_id) == (HERE, [THERE])
    for _ in range(2):
        network.activate_bindings(None, instance(), host=THERE)
    assert bindings(network, port_id) == (THERE, [HERE])
    network.delete_bindings(None, instance(), host=HERE)
    assert bindings(network, port_id) == (THERE, [])


def test_ports_are_located_by_their_active_bindings(network: BridgeNetwork) -> None:
    allocate(network)
    network.create_bindings(None, instance(), host=THERE)
    found = network.locate(None, instance())
    assert (len(found.network_info), found.hosts) == (1, {HERE})
    network.unbind(None, instance())
    assert network.locate(None, instance()).hosts == set()


def test_without_a_binding_there_nothing_is_switched(network: BridgeNetwork) -> None:
    port_id = allocate(network)
    network.activate_bindings(None, instance(), host=THERE)
    assert bindings(network, port_id) == (HERE, [])


def test_a_port_that_is_bound_elsewhere_takes_its_binding_along(network: BridgeNetwork) -> None:
    port_id = allocate(network)
    network.mark_migrating(None, instance(), host=THERE)
    assert network.network_info(None, instance())[0]["profile"] == {"migrating_to": THERE}
    (vif,) = network.bind_to_host(None, instance(), host=THERE)
    assert (bindings(network, port_id), vif["profile"]) == ((THERE, []), {})


QOS = {"request_groups": [{"id": "group", "resources": {"BANDWIDTH": 1}}]}


def test_a_port_names_who_serves_it(network: BridgeNetwork) -> None:
    mine = network.create_port(resource_request=QOS)
    network.allocate(
        None,
        instance(),
        host=HERE,
        requested=wanting(port_id=mine),
        security_groups=(),
        providers={"group": ["old"]},
    )
    (vif,) = network.bind_to_host(None, instance(), host=THERE)
    assert vif["profile"] == {"allocation": {"group": "old"}}
    with pytest.raises(errors.PortUpdateFailed):
        network.bind_to_host(None, instance(), host=HERE, providers={})
    assert bindings(network, mine) == (THERE, [])
    (vif,) = network.bind_to_host(None, instance(), host=HERE, providers=lambda wanted: {"group": ["new"]})
    assert (bindings(network, mine), vif["profile"]) == ((HERE, []), {"allocation": {"group": "new"}})


def test_bindings_are_made_for_the_ports_that_are_named(network: BridgeNetwork) -> None:
    allocate(network)
    assert network.create_bindings(None, instance(), host=THERE, vifs=[]) == {}


def test_a_users_port_is_unused_again_and_any_other_gone(network: BridgeNetwork) -> None:
    mine = network.create_port()
    allocate(network)
    taken = allocate(network, wanting(port_id=mine))
    assert taken == mine
    with pytest.raises(errors.PortInUse):
        allocate(network, wanting(port_id=mine))
    network.deallocate(None, instance())
    assert bindings(network, mine) == (None, [])
    assert network.network_info(None, instance()) == []


def test_every_address_counts(network: BridgeNetwork) -> None:
    allocate(network)
    for _ in range(3):
        network.add_fixed_ip(None, instance(), "br0")
    allocate(network)
    with pytest.raises(errors.NoMoreFixedIps):
        allocate(network)
    with pytest.raises(errors.NoMoreFixedIps):
        network.add_fixed_ip(None, instance(), "br0")
    (first, *_) = network.network_info(None, instance())
    gone = first.fixed_ips()[0]["address"]
    network.remove_fixed_ip(None, instance(), gone)
    with pytest.raises(errors.FixedIpNotFoundForInstance):
        network.remove_fixed_ip(None, instance(), gone)
    allocate(network, wanting(network_id="br0", address=gone))


def test_requests_are_counted_and_fail_as_told(network: BridgeNetwork) -> None:
    network.fail("network_info", errors.NetworkServiceUnavailable("away"), times=2, after=1)
    network.network_info(None, instance())
    for _ in range(2):
        with pytest.raises(errors.NetworkServiceUnavailable):
            network.network_info(None, instance())
    network.network_info(None, instance())
    assert (network.requests, network.by_method["network_info"]) == (4, 4)


def test_on_qemus_own_network_each_guest_has_the_one_address_by_dhcp() -> None:
    network = BridgeNetwork(Store(), Subnet.of_user())
    first, second = (
        network.allocate(None, instance(uuid), host=HERE, requested=None, security_groups=())[0]
        for uuid in ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
    )
    assert {first["type"], second["type"]} == {"user"} and first["address"] != second["address"]
    assert [ip["address"] for ip in (*first.fixed_ips(), *second.fixed_ips())] == ["10.0.2.15"] * 2
    told = describe(NetworkInfo([first]))
    assert told is not None and [part["type"] for part in told["networks"]] == ["ipv4_dhcp"]
    with pytest.raises(errors.FixedIpNotFoundForAddress):
        allocate(network, wanting(network_id="auto", address="10.0.2.16"))
