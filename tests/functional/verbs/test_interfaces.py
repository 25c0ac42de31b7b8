"""Interfaces of servers that exist: attached, detached, addresses; failures, late and double casts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from oslo_messaging import RemoteError

from computed import errors, objects
from computed.embedded.servers import user_context
from computed.states import Action
from tests.functional.bandwidth import BANDWIDTH, GROUP, QOS, network_agent
from tests.functional.cloud import Cloud
from tests.functional.control_plane import ControlPlane
from tests.functional.notices import TOLD, Notices

ATTACHED = ("compute_attach_interface", "Success")
DETACHED = ("compute_detach_interface", "Success")
NOBODYS_PORT = "dddddddd-0000-4000-8000-000000000001"


@pytest.fixture
def told(make_cloud: Callable[..., Cloud]) -> Cloud:
    """A cloud that notifies."""
    return make_cloud(TOLD)


def cast(cloud: Cloud, method: str, **arguments: Any) -> None:
    """Send a cast and wait until it has been dealt with."""
    cloud.rpc.cast(method, **arguments)
    quiet = 0
    while quiet < 3:
        cloud.wait(cloud.bus.is_quiet, "the bus to be quiet")
        cloud.settle()
        quiet = quiet + 1 if cloud.bus.is_quiet() and not cloud.first.is_busy else 0
        time.sleep(0.005)


def order(cloud: Cloud, uuid: str, action: Action) -> tuple[Any, Any]:
    """(context, instance) as the API sends them, once it has begun the action."""
    context, plane = user_context(), ControlPlane(cloud)
    plane.begin(context, uuid, action, None)
    return context, plane.instance(uuid, context)


def attach(cloud: Cloud, uuid: str, **asked: Any) -> Any:
    context, instance = order(cloud, uuid, Action.ATTACH_INTERFACE)
    arguments = {"network_id": None, "port_id": None, "requested_ip": None, "tag": None, **asked}
    vif = cloud.rpc.call("attach_interface", context=context, instance=instance, **arguments)
    cloud.settle()
    return vif


def detach(cloud: Cloud, uuid: str, port_id: str) -> None:
    context, instance = order(cloud, uuid, Action.DETACH_INTERFACE)
    cast(cloud, "detach_interface", context=context, instance=instance, port_id=port_id)


def network_id(cloud: Cloud) -> str:
    return str(cloud.embedded.network._subnet.network_id)


def guest_ports(cloud: Cloud, uuid: str) -> list[str]:
    return list(cloud.host.driver._store.find(uuid).vifs)


def cached_ports(cloud: Cloud, uuid: str) -> list[str]:
    return [vif["id"] for vif in cloud.instance(uuid).info_cache.network_info]


def ports(cloud: Cloud, uuid: str) -> list[str]:
    return [row["uuid"] for row in cloud.rows("Port", instance_uuid=uuid)]


def records(cloud: Cloud, uuid: str) -> list[str]:
    return [row["uuid"] for row in cloud.rows("VirtualInterface", instance_uuid=uuid) if not row["deleted"]]


def agree(cloud: Cloud, uuid: str, expected: list[str]) -> None:
    """Guest, cache, records and network know the same ports of a server, and nothing else is left."""
    for known in (guest_ports, cached_ports, records, ports):
        assert sorted(known(cloud, uuid)) == sorted(expected), known.__name__


def test_an_interface_comes_and_goes(told: Cloud) -> None:
    (uuid,) = told.boot()
    (first,) = ports(told, uuid)
    notices = Notices(told.bus)
    vif = attach(told, uuid, network_id=network_id(told), tag="storage")
    assert (vif["network"]["id"], vif["preserve_on_delete"]) == (network_id(told), False)
    agree(told, uuid, [first, vif["id"]])
    assert cached_ports(told, uuid) == [first, vif["id"]]
    assert [row["tag"] for row in told.rows("VirtualInterface", uuid=vif["id"])] == ["storage"]
    (row,) = told.rows("Port", uuid=vif["id"])
    assert row["host"] == told.host.name
    detach(told, uuid, vif["id"])
    agree(told, uuid, [first])
    assert told.events(uuid)[-2:] == [ATTACHED, DETACHED]
    assert told.faults(uuid) == []
    assert notices.names(uuid) == [
        "instance.interface_attach.start",
        "instance.interface_attach.end",
        "instance.interface_detach.start",
        "instance.interface_detach.end",
    ]
    ends = {notice.event_type: len(notice.payload["ip_addresses"]) for notice in notices.all()}
    assert ends["instance.interface_attach.start"] == ends["instance.interface_detach.end"] == 1
    assert ends["instance.interface_attach.end"] == ends["instance.interface_detach.start"] == 2


def test_what_it_costs(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    before = cloud.embedded.network.requests
    with cloud.counting() as counts:
        vif = attach(cloud, uuid, network_id=network_id(cloud))
    assert counts.conductor_calls <= 5, counts.conductor
    assert counts.placement_requests == 0
    assert cloud.embedded.network.requests - before == 1
    with cloud.counting() as counts:
        detach(cloud, uuid, vif["id"])
    assert counts.conductor_calls <= 7, counts.conductor
    assert counts.placement_requests == 0
    assert cloud.embedded.network.requests - before == 2


def test_a_users_port_is_his_again_when_it_is_detached(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    (first,) = ports(cloud, uuid)
    port_id = cloud.embedded.network.create_port()
    vif = attach(cloud, uuid, port_id=port_id)
    assert (vif["id"], vif["preserve_on_delete"]) == (port_id, True)
    agree(cloud, uuid, [first, port_id])
    detach(cloud, uuid, port_id)
    agree(cloud, uuid, [first])
    (row,) = cloud.rows("Port", uuid=port_id)
    assert (row["instance_uuid"], row["host"]) == (None, None)


def test_a_users_port_is_his_again_when_the_server_goes(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    port_id = cloud.embedded.network.create_port()
    attach(cloud, uuid, port_id=port_id)
    cloud.delete(uuid)
    assert [(row["uuid"], row["instance_uuid"]) for row in cloud.rows("Port")] == [(port_id, None)]


def test_an_address_may_be_asked_for(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    address = "192.168.222.77"
    vif = attach(cloud, uuid, network_id=network_id(cloud), requested_ip=address)
    assert [ip["address"] for ip in objects.network_model.VIF.hydrate(vif).fixed_ips()] == [address]


def test_a_stopped_server_gets_an_interface_too(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    cloud.verb(uuid, "stop")
    vif = attach(cloud, uuid, network_id=network_id(cloud))
    assert vif["id"] in guest_ports(cloud, uuid)
    assert cloud.row(uuid)["vm_state"] == "stopped"


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"network_id": NOBODYS_PORT}, errors.NetworkNotFound),
        ({"port_id": NOBODYS_PORT}, errors.PortNotFound),
        ({"requested_ip": "192.0.2.1"}, errors.FixedIpNotFoundForAddress),
    ],
)
def test_a_refusal_of_the_network_reaches_the_user(
    cloud: Cloud, asked: dict[str, str], error: type[Exception]
) -> None:
    (uuid,) = cloud.boot()
    before = ports(cloud, uuid)
    with pytest.raises(error):
        attach(cloud, uuid, **asked)
    agree(cloud, uuid, before)
    assert cloud.events(uuid)[-1] == ("compute_attach_interface", "Error")
    assert len(cloud.faults(uuid)) == 1
    assert cloud.row(uuid)["vm_state"] == "active"


def test_a_port_in_use_is_refused(cloud: Cloud) -> None:
    uuid, other = cloud.boot(2)
    (taken,) = ports(cloud, other)
    with pytest.raises(errors.PortInUse):
        attach(cloud, uuid, port_id=taken)
    agree(cloud, other, [taken])


def test_a_driver_that_fails_gives_the_port_back(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud({**TOLD, "fake.fail": ["attach_interface:*"]})
    (uuid,) = cloud.boot()
    before, mine = ports(cloud, uuid), cloud.embedded.network.create_port()
    notices = Notices(cloud.bus)
    for asked in ({"network_id": network_id(cloud)}, {"port_id": mine}):
        with pytest.raises(errors.InterfaceAttachFailed):
            attach(cloud, uuid, **asked)
        agree(cloud, uuid, before)
    assert [row["instance_uuid"] for row in cloud.rows("Port", uuid=mine)] == [None]
    assert cloud.events(uuid)[-1] == ("compute_attach_interface", "Error")
    assert len(cloud.faults(uuid)) == 2
    assert notices.names(uuid)[:2] == ["instance.interface_attach.start", "instance.interface_attach.error"]


def test_a_driver_that_cannot_attach_says_so(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    (uuid,) = cloud.boot()
    can = cloud.host.driver.capabilities
    for flag, asked, error in (
        ("supports_tagged_attach_interface", {"tag": "x"}, errors.NetworkInterfaceTaggedAttachNotSupported),
        ("supports_attach_interface", {}, errors.AttachInterfaceNotSupported),
    ):
        monkeypatch.setattr(type(cloud.host.driver), "capabilities", {**can, flag: False})
        with pytest.raises(error):
            attach(cloud, uuid, **asked)
    assert len(ports(cloud, uuid)) == 1


def test_a_port_that_needs_a_device_of_the_host_is_refused(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    (uuid,) = cloud.boot()
    before, mine = ports(cloud, uuid), cloud.embedded.network.create_port()
    real = cloud.embedded.network.allocate

    def allocate(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        found[0]["vnic_type"] = "direct"
        return found

    monkeypatch.setattr(cloud.embedded.network, "allocate", allocate)
    with pytest.raises(errors.InterfaceAttachPciClaimFailed):
        attach(cloud, uuid, port_id=mine)
    agree(cloud, uuid, before)
    assert [row["instance_uuid"] for row in cloud.rows("Port", uuid=mine)] == [None]


def test_what_a_port_held_in_placement_goes_with_it(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    (uuid,) = cloud.boot()
    (port,) = ports(cloud, uuid)
    ((provider, held),) = cloud.allocations(uuid).items()
    real = cloud.embedded.network.detach_port

    def detach_port(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        return {provider: {"resources": {"DISK_GB": held["DISK_GB"], "MEMORY_MB": 1}}}

    monkeypatch.setattr(cloud.embedded.network, "detach_port", detach_port)
    detach(cloud, uuid, port)
    agree(cloud, uuid, [])
    assert cloud.allocations(uuid) == {provider: {"VCPU": held["VCPU"], "MEMORY_MB": held["MEMORY_MB"] - 1}}


@pytest.mark.parametrize(
    "remotable",
    [("VirtualInterface", "create"), ("InstanceInfoCache", "save"), ("InstanceInfoCache", "refresh")],
)
def test_a_record_that_cannot_be_written_gives_the_port_back(
    cloud: Cloud, remotable: tuple[str, str]
) -> None:
    (uuid,) = cloud.boot()
    before, mine = ports(cloud, uuid), cloud.embedded.network.create_port()
    cloud.trouble(*remotable, errors.VirtualInterfaceCreateException())
    with pytest.raises(errors.VirtualInterfaceCreateException):
        attach(cloud, uuid, port_id=mine)
    agree(cloud, uuid, before)
    assert [row["instance_uuid"] for row in cloud.rows("Port", uuid=mine)] == [None]


# Ports that ask something of placement


@pytest.fixture
def agent_provider(cloud: Cloud) -> str:
    """The provider that a network agent of the host has made, with bandwidth for two such ports."""
    return network_agent(cloud, cloud.host.name)


def bandwidth(cloud: Cloud, uuid: str, provider: str) -> int:
    return int(cloud.allocations(uuid).get(provider, {}).get(BANDWIDTH, 0))


def test_a_port_gets_the_bandwidth_it_asks_for_and_gives_it_back(cloud: Cloud, agent_provider: str) -> None:
    (uuid,) = cloud.boot()
    before = cloud.allocations(uuid)
    two = [cloud.embedded.network.create_port(resource_request=QOS) for _ in range(2)]
    for count, port in enumerate(two, 1):
        vif = attach(cloud, uuid, port_id=port)
        assert vif["profile"] == {"allocation": {GROUP: agent_provider}}
        assert bandwidth(cloud, uuid, agent_provider) == 300 * count
    for count, port in ((1, two[0]), (0, two[1])):
        detach(cloud, uuid, port)
        assert bandwidth(cloud, uuid, agent_provider) == 300 * count
    assert cloud.allocations(uuid) == before


def test_without_room_in_placement_nothing_is_attached(cloud: Cloud, agent_provider: str) -> None:
    (uuid,) = cloud.boot()
    before, held = ports(cloud, uuid), cloud.allocations(uuid)
    greedy = {"request_groups": [{"id": GROUP, "resources": {BANDWIDTH: 701}}]}
    for request in (greedy, {"request_groups": [{"id": GROUP, "resources": {"NO_SUCH_CLASS": 1}}]}):
        port = cloud.embedded.network.create_port(resource_request=request)
        with pytest.raises(errors.InterfaceAttachResourceAllocationFailed):
            attach(cloud, uuid, port_id=port)
    agree(cloud, uuid, before)
    assert cloud.allocations(uuid) == held


@pytest.mark.parametrize("where", ["driver", "network"])
def test_bandwidth_goes_back_when_the_attach_fails(
    cloud: Cloud, agent_provider: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (uuid,) = cloud.boot()
    held = cloud.allocations(uuid)
    port = cloud.embedded.network.create_port(resource_request=QOS)
    if where == "driver":
        cloud.conf.set_override("fail", ["attach_interface:*"], group="fake")
    else:

        def refuse(*arguments: Any) -> Any:
            raise errors.PortBindingFailed(port_id=port)

        monkeypatch.setattr("computed.embedded.ports.describe", refuse)
    with pytest.raises((errors.InterfaceAttachFailed, errors.PortBindingFailed)):
        attach(cloud, uuid, port_id=port)
    monkeypatch.undo()
    assert cloud.allocations(uuid) == held
    assert [row["instance_uuid"] for row in cloud.rows("Port", uuid=port)] == [None]


def test_a_server_that_is_deleted_meanwhile_leaves_no_port(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    mine = cloud.embedded.network.create_port()

    def delete(proceed: Callable[[], Any]) -> Any:
        cloud.delete(uuid, wait=False)
        cloud.wait(lambda: uuid not in cloud.uuids(), "the server to be gone")
        return proceed()

    cloud.trouble("VirtualInterface", "create", delete)
    with pytest.raises((errors.InstanceInfoCacheNotFound, errors.InterfaceAttachFailed, RemoteError)):
        attach(cloud, uuid, port_id=mine)
    assert [(row["uuid"], row["instance_uuid"]) for row in cloud.rows("Port")] == [(mine, None)]
    assert cloud.host.driver._store.find(uuid) is None


def test_an_attach_that_comes_after_the_delete_does_nothing(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    context, instance = order(cloud, uuid, Action.ATTACH_INTERFACE)
    cloud.delete(uuid)
    nothing = {"port_id": None, "requested_ip": None, "tag": None}
    with pytest.raises((errors.NotFound, RemoteError)):
        cloud.rpc.call(
            "attach_interface", context=context, instance=instance, network_id=network_id(cloud), **nothing
        )
    assert cloud.rows("Port") == []


def test_two_interfaces_at_the_same_time_are_both_remembered(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    (first,) = ports(cloud, uuid)
    mine = [cloud.embedded.network.create_port() for _ in range(4)]
    orders = [(port, *order(cloud, uuid, Action.ATTACH_INTERFACE)) for port in mine]

    def call(port: str, context: Any, instance: Any) -> None:
        nothing = {"network_id": None, "requested_ip": None, "tag": None}
        cloud.rpc.call("attach_interface", context=context, instance=instance, port_id=port, **nothing)

    threads = [threading.Thread(target=call, args=one) for one in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    agree(cloud, uuid, [first, *mine])


def test_a_port_that_is_not_attached_cannot_be_detached(told: Cloud) -> None:
    (uuid,) = told.boot()
    before = ports(told, uuid)
    notices = Notices(told.bus)
    detach(told, uuid, NOBODYS_PORT)
    agree(told, uuid, before)
    assert told.events(uuid)[-1] == ("compute_detach_interface", "Error")
    assert len(told.faults(uuid)) == 1
    assert notices.names(uuid) == []


def test_a_second_cast_to_detach_finds_nothing_to_do(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    (port,) = ports(cloud, uuid)
    for _ in range(2):
        detach(cloud, uuid, port)
    agree(cloud, uuid, [])
    assert cloud.events(uuid)[-2:] == [DETACHED, ("compute_detach_interface", "Error")]


def test_a_guest_that_keeps_its_interface_keeps_its_port(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud({"fake.fail": ["detach_interface:*:NovaException:1"]})
    (uuid,) = cloud.boot()
    (port,) = ports(cloud, uuid)
    detach(cloud, uuid, port)
    agree(cloud, uuid, [port])
    assert len(cloud.faults(uuid)) == 1
    detach(cloud, uuid, port)
    agree(cloud, uuid, [])


def test_a_detach_whose_port_could_not_be_given_back_may_be_tried_again(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    (port,) = ports(cloud, uuid)
    cloud.embedded.network.fail("detach_port", errors.NetworkServiceUnavailable("away"))
    detach(cloud, uuid, port)
    assert (cached_ports(cloud, uuid), ports(cloud, uuid)) == ([port], [port])
    assert len(cloud.faults(uuid)) == 1
    detach(cloud, uuid, port)
    agree(cloud, uuid, [])


def test_a_detach_that_comes_after_the_delete_does_nothing(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    (port,) = ports(cloud, uuid)
    context, instance = order(cloud, uuid, Action.DETACH_INTERFACE)
    cloud.delete(uuid)
    cast(cloud, "detach_interface", context=context, instance=instance, port_id=port)
    assert cloud.rows("Port") == []


def addresses(cloud: Cloud, uuid: str) -> list[str]:
    return [ip["address"] for ip in cloud.instance(uuid).info_cache.network_info.fixed_ips()]


def test_addresses_are_added_and_taken_away(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud(TOLD)
    (uuid,) = cloud.boot()
    legacy, versioned = Notices(cloud.bus, "notifications"), Notices(cloud.bus)
    (first,) = addresses(cloud, uuid)
    before = cloud.row(uuid)["updated_at"]
    cast(cloud, "add_fixed_ip_to_instance", instance=cloud.instance(uuid), network_id=network_id(cloud))
    assert (addresses(cloud, uuid)[0], len(addresses(cloud, uuid))) == (first, 2)
    assert cloud.row(uuid)["updated_at"] >= before
    assert addresses(cloud, uuid)[1] in cloud.host.driver._store.find(uuid).console[-1]
    cast(cloud, "remove_fixed_ip_from_instance", instance=cloud.instance(uuid), address=first)
    assert first not in addresses(cloud, uuid) and len(addresses(cloud, uuid)) == 1
    assert legacy.names(uuid) == [
        "compute.instance.create_ip.start",
        "compute.instance.create_ip.end",
        "compute.instance.delete_ip.start",
        "compute.instance.delete_ip.end",
    ]
    told = {notice.event_type.split(".", 2)[2]: notice.payload for notice in legacy.all()}
    assert [len(told[end]["fixed_ips"]) for end in ("create_ip.end", "delete_ip.end")] == [2, 1]
    assert versioned.names(uuid) == []
    assert cloud.faults(uuid) == []


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("add_fixed_ip_to_instance", {"network_id": NOBODYS_PORT}),
        ("remove_fixed_ip_from_instance", {"address": "192.0.2.1"}),
    ],
)
def test_an_address_that_cannot_be_is_a_fault(cloud: Cloud, method: str, asked: dict[str, str]) -> None:
    (uuid,) = cloud.boot()
    before = addresses(cloud, uuid)
    cast(cloud, method, instance=cloud.instance(uuid), **asked)
    assert addresses(cloud, uuid) == before
    assert len(cloud.faults(uuid)) == 1


def test_a_guest_is_told_of_its_addresses_as_they_are_now(cloud: Cloud) -> None:
    (uuid,) = cloud.boot()
    instance = cloud.instance(uuid)
    cloud.embedded.network.add_fixed_ip(None, instance, network_id(cloud))
    cast(cloud, "inject_network_info", instance=instance)
    assert len(addresses(cloud, uuid)) == 2
    assert cloud.host.driver._store.find(uuid).console[-1] == "ADDRESSES " + " ".join(addresses(cloud, uuid))


@pytest.fixture
def plugged(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The ports that guests are made anew with, as it happens."""
    told: list[list[str]] = []
    for name in ("reboot", "power_on"):
        plain = getattr(cloud.host.driver, name)

        def noted(context: Any, spec: Any, *, plain: Any = plain, **more: Any) -> None:
            told.append([vif["id"] for vif in spec.network_info])
            plain(context, spec, **more)

        monkeypatch.setattr(cloud.host.driver, name, noted)
    return told


def forget_ports(cloud: Cloud, uuid: str) -> None:
    with cloud.embedded.store.transaction() as known:
        known.update(
            "InstanceInfoCache",
            known.first("InstanceInfoCache", instance_uuid=uuid),
            {"network_info": "[]"},
        )


def make_anew(cloud: Cloud, uuid: str, verb: str) -> None:
    if verb == "start":
        cloud.verb(uuid, "stop")
        cloud.verb(uuid, "start")
    else:
        cloud.verb(uuid, "reboot", hard=True)


@pytest.mark.parametrize("verb", ["start", "hard reboot"])
def test_a_guest_is_made_anew_with_the_ports_that_there_are(
    cloud: Cloud, plugged: list[list[str]], verb: str
) -> None:
    (uuid,) = cloud.boot()
    expected = ports(cloud, uuid)
    forget_ports(cloud, uuid)
    make_anew(cloud, uuid, verb)
    assert plugged == [expected]
    assert cached_ports(cloud, uuid) == expected


@pytest.mark.parametrize("verb", ["start", "hard reboot"])
def test_without_the_network_service_a_guest_is_made_anew_as_it_was(
    cloud: Cloud, plugged: list[list[str]], verb: str
) -> None:
    (uuid,) = cloud.boot()
    expected = ports(cloud, uuid)
    cloud.embedded.network.fail("network_info", errors.NetworkServiceUnavailable("away"))
    make_anew(cloud, uuid, verb)
    assert cloud.row(uuid)["vm_state"] == "active"
    assert plugged == [expected]
    assert cached_ports(cloud, uuid) == expected


def test_a_hard_reboot_that_was_ordered_before_an_attachment_has_it(
    cloud: Cloud, plugged: list[list[str]]
) -> None:
    (uuid,) = cloud.boot()
    (first,) = ports(cloud, uuid)
    context, instance = order(cloud, uuid, Action.REBOOT)
    vif = attach(cloud, uuid, port_id=cloud.embedded.network.create_port())
    cloud.set_fields(uuid, task_state="rebooting_hard")
    instance.task_state = "rebooting_hard"
    instance.obj_reset_changes()
    arguments = {"instance": instance, "block_device_info": None, "reboot_type": "HARD"}
    cast(cloud, "reboot_instance", context=context, **arguments)
    assert plugged == [[first, vif["id"]]]
    assert cached_ports(cloud, uuid) == [first, vif["id"]]
