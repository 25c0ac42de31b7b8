"""One port, one address: what NeutronNetwork asks of neutron for an instance that exists."""

import pytest

from computed import errors
from tests.unit.clients import neutron_replay
from tests.unit.clients.test_neutron_bindings import asked, described, fault, listing, played

scenario = neutron_replay.scenario
RECORDED_PORT = scenario("network_info")["exchanges"][0]["answer"]["ports"][0]
PORT, UUID = RECORDED_PORT["id"], scenario("network_info")["instance"]["uuid"]
SUBNET = RECORDED_PORT["fixed_ips"][0]["subnet_id"]
ADDRESS = RECORDED_PORT["fixed_ips"][0]["ip_address"]
NETWORK = RECORDED_PORT["network_id"]


@pytest.fixture
def replay():
    return neutron_replay.Replay(neutron_replay.conf_of_tests())


def looked_up(*ports):
    return asked("GET", "ports", answer={"ports": list(ports)}, params=[("device_id", UUID), ("id", PORT)])


def as_user(exchange):
    return {**exchange, "as": "user"}


def test_a_made_port_is_deleted(replay):
    delete = as_user(asked("DELETE", f"ports/{PORT}", status=204))
    assert replay.run("detach_port", played(looked_up(RECORDED_PORT), delete), port_id=PORT) == {}
    assert replay.done()


def test_a_given_port_is_released(replay):
    whole = played(looked_up(RECORDED_PORT))
    whole["cache"][0]["preserve_on_delete"] = True
    free = {"device_id": "", "device_owner": "", "binding:host_id": None, "binding:profile": {}}
    update = asked("PUT", f"ports/{PORT}", answer={"port": RECORDED_PORT}, body={"port": free})
    whole["exchanges"].append(update)
    assert replay.run("detach_port", whole, port_id=PORT) == {}
    assert replay.done()


def test_a_port_that_is_gone_or_serves_another_instance_is_left_alone(replay):
    assert replay.run("detach_port", played(looked_up()), port_id=PORT) == {}
    assert replay.done()


@pytest.mark.parametrize(
    ("request_", "allocation"),
    [
        ({"resources": {"BW": 5}}, "provider-1"),
        ({"request_groups": [{"id": "g", "resources": {"BW": 5}}]}, {"g": "provider-1"}),
    ],
)
def test_what_placement_holds_for_the_port_is_told(replay, request_, allocation):
    port = {
        **RECORDED_PORT,
        "resource_request": request_,
        "binding:profile": {"allocation": allocation},
    }
    delete = as_user(asked("DELETE", f"ports/{PORT}", status=204))
    told = replay.run("detach_port", played(looked_up(port), delete), port_id=PORT)
    assert told == {"provider-1": {"resources": {"BW": 5}}}


def test_the_port_is_not_believed_freed_when_neutron_did_not_answer(replay):
    delete = as_user(asked("DELETE", f"ports/{PORT}", status=500))
    with pytest.raises(errors.NetworkServiceUnavailable):
        replay.run("detach_port", played(looked_up(RECORDED_PORT), delete), port_id=PORT)


def subnets(*ids):
    answer = {"subnets": [{"id": subnet} for subnet in ids]}
    return as_user(asked("GET", "subnets", answer=answer, params=[("network_id", NETWORK)]))


def ports_there(*ports):
    params = [("device_id", UUID), ("network_id", NETWORK)]
    return as_user(asked("GET", "ports", answer={"ports": list(ports)}, params=params))


def addressed(fixed_ips, status=200, answer=None):
    body = {"port": {"fixed_ips": fixed_ips}}
    answer = answer or {"port": RECORDED_PORT}
    return as_user(asked("PUT", f"ports/{PORT}", status=status, answer=answer, body=body))


def test_an_address_of_the_first_subnet_that_has_one_is_added(replay):
    had = RECORDED_PORT["fixed_ips"]
    full = addressed([*had, {"subnet_id": "full"}], 409, fault("IpAddressGenerationFailure"))
    whole = played(
        subnets("full", SUBNET),
        ports_there(RECORDED_PORT),
        full,
        addressed([*had, {"subnet_id": SUBNET}]),
        listing(),
        *described(),
    )
    assert [vif["id"] for vif in replay.run("add_fixed_ip", whole, network_id=NETWORK)] == [PORT]
    assert replay.done()


@pytest.mark.parametrize("there", [[subnets()], [subnets(SUBNET), ports_there()]])
def test_no_address_without_a_subnet_or_a_port(replay, there):
    with pytest.raises(errors.NetworkNotFoundForInstance):
        replay.run("add_fixed_ip", played(*there), network_id=NETWORK)
    assert replay.done()


def test_an_address_is_taken_away(replay):
    params = [("device_id", UUID), ("fixed_ips", f"ip_address={ADDRESS}")]
    other = {"subnet_id": SUBNET, "ip_address": "10.20.0.200"}
    port = {**RECORDED_PORT, "fixed_ips": [*RECORDED_PORT["fixed_ips"], other]}
    find = as_user(asked("GET", "ports", answer={"ports": [port]}, params=params))
    whole = played(find, addressed([other]), listing(), *described())
    replay.run("remove_fixed_ip", whole, address=ADDRESS)
    assert replay.done()
    nothing = {**find, "answer": {"ports": []}}
    with pytest.raises(errors.FixedIpNotFoundForInstance):
        replay.run("remove_fixed_ip", played(nothing), address=ADDRESS)
