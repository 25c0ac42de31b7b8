"""NeutronNetwork against the real neutron: ports made, taken, moved and given back, in how many requests."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from computed import conf as computed_conf
from computed import errors
from computed.clients.neutron import NeutronNetwork
from computed.context import RequestContext
from computed.objects.instance import Instance
from computed.objects.instance_info_cache import InstanceInfoCache
from computed.objects.network_model import NetworkInfo
from computed.objects.network_request import NetworkRequest, NetworkRequestList
from tests.integration.agents import COMPUTED, Agent
from tests.integration.cloud import Cloud
from tests.integration.plane import waiting
from tests.integration.plane.plane import Plane

SAMPLES = Path(__file__).parents[1] / "contract" / "facts" / "samples"


@pytest.fixture(scope="module")
def hosts(plane: Plane) -> tuple[Agent, Agent]:
    """Two hosts on which ports can be bound; no agent runs there."""
    first, second = (Agent(plane, f"ports{n}-{os.getpid()}", COMPUTED, "threading") for n in (1, 2))
    return first, second


def cache_of(instance: Instance) -> InstanceInfoCache:
    assert instance.info_cache is not None
    return instance.info_cache


@pytest.fixture
def network(hosts: tuple[Agent, Agent]) -> NeutronNetwork:
    conf = cfg.ConfigOpts()
    computed_conf.register_all(conf)
    conf(["--config-file", str(hosts[0].config)], project="nova")
    return NeutronNetwork(conf)


@pytest.fixture
def instance(context: RequestContext) -> Instance:
    made = Instance(
        uuid=str(uuid.uuid4()), project_id=context.project_id, hostname="ports", availability_zone="nova"
    )
    made.info_cache = InstanceInfoCache(instance_uuid=made.uuid, network_info=NetworkInfo())
    return made


@pytest.fixture
def given(cloud: Cloud) -> Iterator[Any]:
    """A port of the user's own."""
    port = cloud.demo.network.create_port(network_id=cloud.network_id, name="given")
    yield port
    cloud.admin.network.delete_port(port, ignore_missing=True)


def wanting(*requests: dict[str, Any]) -> NetworkRequestList:
    return NetworkRequestList(objects=[NetworkRequest(**request) for request in requests])


def count(network: NeutronNetwork) -> int:
    return sum(network.requests.values())


def binding(cloud: Cloud, port_id: str) -> tuple[str, str, str]:
    port = cloud.admin.network.get_port(port_id)
    return port.device_id, port.device_owner, port.binding_host_id or ""


def ports_of(cloud: Cloud, instance: Instance) -> list[str]:
    return [port.id for port in cloud.admin.network.ports(device_id=instance.uuid)]


def test_a_new_port_lives_through_five_requests_a_move_and_its_end(
    network: NeutronNetwork,
    cloud: Cloud,
    context: RequestContext,
    instance: Instance,
    hosts: tuple[Agent, Agent],
) -> None:
    here, there = (agent.host for agent in hosts)
    asked = wanting({"network_id": cloud.network_id})
    made = network.allocate(context, instance, host=here, requested=asked, security_groups=["default"])
    assert count(network) == 5
    [vif] = cache_of(instance).network_info = made
    assert binding(cloud, vif["id"]) == (instance.uuid, "compute:nova", here)

    def probe() -> None:
        if not network.network_info(context, instance)[0]["active"]:
            raise waiting.NotYet("the port is not active")

    waiting.until("a bound port is plugged", probe, 30)
    before = count(network)
    now = network.network_info(context, instance)
    assert count(network) - before == 5
    assert {**now[0], "active": None} == {**vif, "active": None}

    network.unbind(context, instance)
    assert binding(cloud, vif["id"]) == (instance.uuid, "compute:nova", "")
    network.bind_to_host(context, instance, host=there)
    assert binding(cloud, vif["id"]) == (instance.uuid, "compute:nova", there)
    network.deallocate(context, instance)
    network.deallocate(context, instance)
    assert ports_of(cloud, instance) == []


def test_the_cache_has_the_keys_of_stock(
    network: NeutronNetwork,
    cloud: Cloud,
    context: RequestContext,
    instance: Instance,
    hosts: tuple[Agent, Agent],
) -> None:
    asked = wanting({"network_id": cloud.network_id})
    made = network.allocate(context, instance, host=hosts[0].host, requested=asked, security_groups=[])
    network.deallocate(context, instance)
    sample = json.loads((SAMPLES / "instance_info_cache.json").read_text())
    [stock] = json.loads(sample["nova_object.data"]["network_info"])
    assert made[0].keys() == stock.keys()
    assert made[0]["network"].keys() == stock["network"].keys()
    assert made[0]["network"]["meta"].keys() == stock["network"]["meta"].keys()


def test_a_given_port_comes_back_as_it_was(
    network: NeutronNetwork,
    cloud: Cloud,
    context: RequestContext,
    instance: Instance,
    hosts: tuple[Agent, Agent],
    given: Any,
) -> None:
    asked = wanting({"port_id": given.id})
    made = network.allocate(
        context, instance, host=hosts[0].host, requested=asked, security_groups=["default"]
    )
    assert count(network) == 5
    assert made[0]["preserve_on_delete"] is True
    with pytest.raises(errors.PortInUse):
        network.allocate(context, instance, host=hosts[0].host, requested=asked, security_groups=[])
    cache_of(instance).network_info = made
    network.deallocate(context, instance)
    assert binding(cloud, given.id) == ("", "", "")


def test_what_was_made_and_taken_is_given_back_when_a_binding_fails(
    network: NeutronNetwork, cloud: Cloud, context: RequestContext, instance: Instance, given: Any
) -> None:
    asked = wanting({"port_id": given.id}, {"network_id": cloud.network_id})
    with pytest.raises(errors.PortBindingFailed):
        network.allocate(context, instance, host="nobody-lives-here", requested=asked, security_groups=[])
    assert ports_of(cloud, instance) == []
    assert binding(cloud, given.id) == ("", "", "")


@pytest.mark.parametrize(
    ("request_", "groups", "error"),
    [
        ({"network_id": str(uuid.uuid4())}, [], errors.NetworkNotFound),
        ({"port_id": str(uuid.uuid4())}, [], errors.PortNotFound),
        ({"address": "192.0.2.77"}, [], errors.InvalidInput),
        ({}, ["no-such-group"], errors.SecurityGroupNotFound),
        ({}, [str(uuid.uuid4())], errors.SecurityGroupNotFound),
    ],
)
def test_refusals_have_the_classes_that_nova_knows(
    network: NeutronNetwork,
    cloud: Cloud,
    context: RequestContext,
    instance: Instance,
    request_: dict[str, Any],
    groups: list[str],
    error: type[Exception],
) -> None:
    asked = wanting({"network_id": None if "port_id" in request_ else cloud.network_id, **request_})
    with pytest.raises(error):
        network.allocate(context, instance, host="here", requested=asked, security_groups=groups)
    assert ports_of(cloud, instance) == []


def bindings_of(cloud: Cloud, port_id: str) -> dict[str, str]:
    """Host → status of every binding of a port."""
    answer = cloud.admin.network.get(f"/ports/{port_id}/bindings")
    return {found["host"]: found["status"] for found in answer.json()["bindings"]}


def test_a_port_moves_by_way_of_a_second_binding(
    network: NeutronNetwork,
    cloud: Cloud,
    context: RequestContext,
    instance: Instance,
    hosts: tuple[Agent, Agent],
) -> None:
    here, there = (agent.host for agent in hosts)
    asked = wanting({"network_id": cloud.network_id})
    made = network.allocate(context, instance, host=here, requested=asked, security_groups=[])
    [vif] = cache_of(instance).network_info = made
    assert network.supports_multiple_bindings(context) is True
    network.mark_migrating(context, instance, host=there)
    assert cloud.admin.network.get_port(vif["id"]).binding_profile == {"migrating_to": there}
    for _ in range(2):
        found = network.create_bindings(context, instance, host=there)
        assert (found[vif["id"]]["host"], found[vif["id"]]["status"]) == (there, "INACTIVE")
    assert bindings_of(cloud, vif["id"]) == {here: "ACTIVE", there: "INACTIVE"}

    before = count(network)
    for _ in range(2):
        network.activate_bindings(context, instance, host=there)
    assert bindings_of(cloud, vif["id"]) == {here: "INACTIVE", there: "ACTIVE"}
    for _ in range(2):
        network.delete_bindings(context, instance, host=here)
    assert bindings_of(cloud, vif["id"]) == {there: "ACTIVE"}
    assert count(network) - before == 4
    [now] = network.bind_to_host(context, instance, host=there)
    assert (now["id"], now["type"], now["profile"]) == (vif["id"], vif["type"], {})
    assert count(network) - before == 9
    assert network.requests["PUT ports"] == 1 + 1 + 2, "bound, marked, activated twice, and nothing more"
    network.activate_bindings(context, instance, host="nobody-lives-here")
    network.deallocate(context, instance)
    network.delete_bindings(context, instance, host=there)
    network.activate_bindings(context, instance, host=there)


def test_a_move_that_does_not_happen_leaves_the_port_as_it_was(
    network: NeutronNetwork,
    cloud: Cloud,
    context: RequestContext,
    instance: Instance,
    hosts: tuple[Agent, Agent],
) -> None:
    here, there = (agent.host for agent in hosts)
    asked = wanting({"network_id": cloud.network_id})
    made = network.allocate(context, instance, host=here, requested=asked, security_groups=[])
    [vif] = cache_of(instance).network_info = made
    network.mark_migrating(context, instance, host=there)
    with pytest.raises(errors.PortBindingFailed):
        network.create_bindings(context, instance, host="nobody-lives-here")
    network.create_bindings(context, instance, host=there)
    network.unmark_migrating(context, instance)
    network.delete_bindings(context, instance, host=there)
    assert bindings_of(cloud, vif["id"]) == {here: "ACTIVE"}
    assert cloud.admin.network.get_port(vif["id"]).binding_profile == {}
    network.deallocate(context, instance)


def test_single_ports_and_addresses_come_and_go(
    network: NeutronNetwork,
    cloud: Cloud,
    context: RequestContext,
    instance: Instance,
    hosts: tuple[Agent, Agent],
    given: Any,
) -> None:
    here = hosts[0].host
    for asked in (wanting({"network_id": cloud.network_id}), wanting({"port_id": given.id})):
        made = network.allocate(context, instance, host=here, requested=asked, security_groups=[])
        cache_of(instance).network_info = NetworkInfo([*cache_of(instance).network_info, *made])
    first = cache_of(instance).network_info[0]
    with pytest.raises(errors.NetworkNotFoundForInstance):
        network.add_fixed_ip(context, instance, str(uuid.uuid4()))
    now = network.add_fixed_ip(context, instance, cloud.network_id)
    [(port_id, address)] = [
        (vif["id"], ip["address"])
        for vif, was in zip(now, cache_of(instance).network_info, strict=True)
        for ip in vif.fixed_ips()
        if ip["address"] not in {known["address"] for known in was.fixed_ips()}
    ]
    assert port_id in ports_of(cloud, instance)
    now = network.remove_fixed_ip(context, instance, address)
    assert [vif.fixed_ips() for vif in now] == [vif.fixed_ips() for vif in cache_of(instance).network_info]
    with pytest.raises(errors.FixedIpNotFoundForInstance):
        network.remove_fixed_ip(context, instance, address)
    for _ in range(2):
        assert network.detach_port(context, instance, first["id"]) == {}
        assert network.detach_port(context, instance, given.id) == {}
    assert ports_of(cloud, instance) == []
    assert binding(cloud, given.id) == ("", "", "")
