"""NeutronNetwork against recorded answers of a real neutron: what it asks, and what it makes of them."""

import json
import logging
from pathlib import Path

import pytest

from computed import errors
from computed.clients.port_resources import PortResources, ResourceGroup
from computed.context import RequestContext, get_admin_context
from tests.unit.clients import neutron_replay

RECORDED = neutron_replay.RECORDED
scenario = neutron_replay.scenario
SAMPLES = Path(__file__).parents[2] / "contract" / "facts" / "samples"
ALLOCATIONS = sorted(name for name, played in RECORDED.items() if "host" in played)


@pytest.fixture
def replay():
    return neutron_replay.Replay(neutron_replay.conf_of_tests())


def plain(model):
    return json.loads(json.dumps(model))


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_allocation_asks_and_answers_as_recorded(replay, name):
    played = scenario(name)
    if played["raises"]:
        with pytest.raises(getattr(errors, played["raises"])):
            replay.allocate(played)
    else:
        assert plain(replay.allocate(played)) == played["result"]
    assert replay.done()


@pytest.mark.parametrize(
    ("name", "method", "kwargs"),
    [
        ("network_info", "network_info", {}),
        ("network_info_two", "network_info", {}),
        ("network_info_floating", "network_info", {}),
        ("unbind", "unbind", {}),
        ("deallocate_made", "deallocate", {}),
        ("deallocate_again", "deallocate", {}),
        ("deallocate_given", "deallocate", {}),
        ("deallocate_two", "deallocate", {}),
    ],
)
def test_other_calls_ask_and_answer_as_recorded(replay, name, method, kwargs):
    played = scenario(name)
    assert plain(replay.run(method, played, **kwargs)) == played["result"]
    assert replay.done()


@pytest.mark.parametrize("name", ["one_new_port", "one_given_port"])
def test_a_boot_with_one_port_takes_five_requests(replay, name):
    replay.allocate(scenario(name))
    assert sum(replay.network.requests.values()) == 5


def test_a_boot_on_the_only_network_takes_five_requests_once_its_physical_side_is_known(replay):
    replay.allocate(scenario("auto_one_network"))
    second = scenario("auto_one_network")
    assert second["exchanges"].pop(1)["as"] == "admin"
    replay.allocate(second)
    assert replay.done()
    assert len(replay.neutron.served) == 5


def test_reading_two_ports_takes_no_more_requests_than_reading_one(replay):
    replay.run("network_info", scenario("network_info"))
    one = sum(replay.network.requests.values())
    replay.run("network_info", scenario("network_info_two"))
    assert sum(replay.network.requests.values()) - one == one == 5


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [(("here", "here"), {"here"}), (("here", "there"), {"here", "there"}), (("", None), set())],
)
def test_where_ports_are_bound_is_told_by_the_same_requests(replay, hosts, expected):
    played = scenario("network_info_two")
    for port, host in zip(played["exchanges"][0]["answer"]["ports"], hosts, strict=True):
        port["binding:host_id"] = host
    found = replay.run("locate", played)
    assert (plain(found.network_info), found.hosts) == (played["result"], expected)
    assert replay.done()


def test_the_cache_has_the_keys_that_stock_writes(replay):
    sample = json.loads((SAMPLES / "instance_info_cache.json").read_text())
    stock = json.loads(sample["nova_object.data"]["network_info"])[0]
    ours = plain(replay.run("network_info", scenario("network_info_floating")))[0]

    def shape(vif):
        subnet = vif["network"]["subnets"][0]
        floating = subnet["ips"][0]["floating_ips"][0]
        parts = (vif, vif["network"], subnet, subnet["gateway"], subnet["ips"][0], floating)
        return [set(part) for part in (*parts, vif["network"]["meta"])]

    assert shape(ours) == shape(stock)
    assert plain(ours["network"]["subnets"][0]["routes"][0]).keys() == (
        stock["network"]["subnets"][0]["routes"][0].keys()
    )


def test_no_network_is_asked_for_when_none_is_wanted(replay):
    played = scenario("one_new_port")
    played.update(exchanges=[], requested=[{"network_id": "none"}])
    assert replay.allocate(played) == []


def test_a_project_without_networks_boots_without_when_it_names_none(replay):
    played = scenario("ambiguous")
    played["exchanges"][0]["answer"]["networks"] = []
    assert replay.allocate(played) == []


def test_a_project_without_networks_cannot_boot_when_a_network_was_wanted(replay):
    played = scenario("ambiguous")
    played["exchanges"][0]["answer"]["networks"] = []
    played["requested"] = [{}]
    with pytest.raises(errors.InterfaceAttachFailedNoNetwork):
        replay.allocate(played)


def auto_allocation(topology_status, topology):
    """The get-me-a-network flow, whose routers the recording stack lacks: one network, made on demand."""
    played = scenario("auto_one_network")
    listing, network = played["exchanges"][:2]
    listing["answer"] = {"networks": []}
    made = {**network, "as": "user", "params": [], "body": None}
    made["path"] = f"/v2.0/auto-allocated-topology/{played['instance']['project_id']}"
    made.update(status=topology_status, answer=topology)
    played["exchanges"].insert(1, made)
    return played, network["answer"]["networks"][0]["id"]


def test_a_network_is_made_when_the_project_has_none(replay):
    played, network_id = auto_allocation(200, None)
    played["exchanges"][1]["answer"] = {"auto_allocated_topology": {"id": network_id}}
    assert plain(replay.allocate(played)) == played["result"]
    assert replay.done()


def test_the_refusal_to_make_a_network_has_its_own_error(replay):
    # The body is what the recording stack answers, which has no external network.
    text = "Deployment error: No default router:external network."
    fault = {"NeutronError": {"type": "AutoAllocationFailure", "message": text, "detail": ""}}
    played, _ = auto_allocation(409, fault)
    with pytest.raises(errors.UnableToAutoAllocateNetwork):
        replay.allocate(played)


def with_dns(name, domain, hostname):
    """A scenario as neutron's DNS integration answers it (the recording stack has no such extension)."""
    played = scenario(name)
    for exchange in played["exchanges"]:
        for network in (exchange["answer"] or {}).get("networks", ()):
            network["dns_domain"] = domain
        port = (exchange["answer"] or {}).get("port")
        if port:
            port["dns_name"] = hostname
    return played


def test_with_dns_integration_the_binding_names_the_port(replay):
    played = with_dns("one_new_port", "", "net-real")
    played["exchanges"][2]["body"]["port"]["dns_name"] = "net-real"
    replay.allocate(played)
    assert replay.done()


def test_in_a_domain_of_an_outside_dns_the_user_names_the_port(replay):
    played = with_dns("one_new_port", "example.org.", "net-real")
    bind = played["exchanges"][2]
    naming = {**bind, "as": "user", "body": {"port": {"dns_name": "net-real"}}}
    played["exchanges"].insert(3, naming)
    replay.allocate(played)
    assert replay.done()


def test_a_port_that_bears_another_name_is_refused(replay):
    played = scenario("one_given_port")
    played["exchanges"][0]["answer"]["ports"][0]["dns_name"] = "somebody-else"
    with pytest.raises(errors.PortNotUsableDNS):
        replay.allocate(played)


def test_a_port_with_a_resource_request_is_bound_to_its_provider(replay):
    played = scenario("one_given_port")
    port = played["exchanges"][0]["answer"]["ports"][0]
    port["resource_request"] = {"request_groups": [{"id": "group-1", "resources": {"NET_BW_EGR": 1}}]}
    played["exchanges"][2]["body"]["port"]["binding:profile"] = {"allocation": {"group-1": "provider-1"}}
    replay.allocate(played, providers={"group-1": ["provider-1"]})
    assert replay.done()


@pytest.mark.parametrize(
    ("request_", "groups", "allocation"),
    [
        (
            {
                "request_groups": [{"id": "g", "resources": {"A": 1}, "required": ["T"]}],
                "same_subtree": ["g"],
            },
            (ResourceGroup("g", {"A": 1}, ("T",)),),
            {"g": "provider-1"},
        ),
        ({"resources": {"A": 1}, "required": ["T"]}, None, "provider-1"),
    ],
)
def test_who_serves_a_port_is_asked_for_when_it_is_bound(replay, request_, groups, allocation):
    played = scenario("one_given_port")
    port = played["exchanges"][0]["answer"]["ports"][0]
    port["resource_request"] = request_
    groups = groups or (ResourceGroup(port["id"], {"A": 1}, ("T",)),)
    played["exchanges"][2]["body"]["port"]["binding:profile"] = {"allocation": allocation}
    asked = []

    def find(wanted):
        asked.append(wanted)
        return {group.id: ["provider-1"] for group in wanted.groups}

    replay.allocate(played, providers=find)
    assert replay.done()
    assert asked == [PortResources(port["id"], groups, tuple(request_.get("same_subtree", ())))]


def test_nobody_is_asked_who_serves_a_port_that_asks_for_nothing(replay):
    replay.allocate(scenario("one_given_port"), providers=lambda wanted: pytest.fail("asked"))
    assert replay.done()


def test_a_made_port_with_a_resource_request_is_given_back(replay):
    played = scenario("one_new_port")
    create = played["exchanges"][1]
    create["answer"]["port"]["resource_request"] = {"request_groups": [{"id": "group-1"}]}
    delete = {**create, "method": "DELETE", "body": None, "status": 204, "answer": None}
    delete["path"] = f"/v2.0/ports/{create['answer']['port']['id']}"
    played["exchanges"][2:] = [delete]
    with pytest.raises(errors.NetworksWithQoSPolicyNotSupported):
        replay.allocate(played)
    assert replay.done()


def test_an_address_in_no_subnet_of_the_port_is_no_part_of_it(replay):
    """Two subnets in one network: each shows its own address only."""
    vif = replay.allocate(scenario("two_families"))[0]
    by_version = {s["version"]: [ip["address"] for ip in s["ips"]] for s in vif["network"]["subnets"]}
    assert set(by_version) == {4, 6}
    assert [len(addresses) for addresses in by_version.values()] == [1, 1]
    assert all((":" in address) == (version == 6) for version, [address] in by_version.items())


def test_a_network_of_segments_is_known_by_its_physical_one(replay):
    played = scenario("one_new_port")
    network = played["exchanges"][0]["answer"]["networks"][0]
    for key in [key for key in network if key.startswith("provider:")]:
        del network[key]
    network["segments"] = [
        {"provider:network_type": "vxlan", "provider:physical_network": None},
        {"provider:network_type": "vlan", "provider:physical_network": "physnet1"},
    ]
    meta = replay.allocate(played)[0]["network"]["meta"]
    assert (meta["physical_network"], meta["tunneled"]) == ("physnet1", False)


def test_floating_addresses_are_none_where_neutron_has_no_routers(replay):
    played = scenario("network_info_floating")
    floating = next(e for e in played["exchanges"] if e["path"] == "/v2.0/floatingips")
    floating.update(
        status=404, answer={"NeutronError": {"type": "HTTPNotFound", "message": "", "detail": ""}}
    )
    vif = replay.run("network_info", played)[0]
    assert [ip["floating_ips"] for ip in vif.fixed_ips()] == [[], []]


def test_a_failed_read_is_an_error_and_not_an_empty_answer(replay):
    played = scenario("network_info")
    played["exchanges"][0].update(status=503, answer=None)
    with pytest.raises(errors.NetworkServiceUnavailable):
        replay.run("network_info", played)


def test_an_answer_that_is_not_json_is_a_failed_read(replay):
    played = scenario("network_info")
    played["exchanges"][0]["answer"] = "<html>It works!</html>"
    with pytest.raises(errors.NetworkServiceUnavailable):
        replay.run("network_info", played)


def test_new_ports_follow_those_of_the_cache(replay):
    played = scenario("network_info_two")
    played["cache"].reverse()
    ids = [vif["id"] for vif in replay.run("network_info", played)]
    assert ids == [vif["id"] for vif in played["cache"]]
    played = scenario("network_info_two")
    first = played["cache"].pop(0)
    ids = [vif["id"] for vif in replay.run("network_info", played)]
    assert ids == [played["cache"][0]["id"], first["id"]]


def test_deallocation_tries_every_port_before_it_fails(replay):
    played = scenario("deallocate_two")
    played["exchanges"][1].update(status=500, answer=None)
    with pytest.raises(errors.NetworkServiceUnavailable):
        replay.run("deallocate", played)
    assert replay.done()


def test_deallocation_takes_a_port_that_is_gone_for_freed(replay):
    played = scenario("deallocate_made")
    gone = {"NeutronError": {"type": "PortNotFound", "message": "", "detail": ""}}
    played["exchanges"][1].update(status=404, answer=gone)
    replay.run("deallocate", played)
    assert replay.done()


def test_deallocation_keeps_the_ports_of_the_request_even_without_a_cache(replay):
    played = scenario("deallocate_given")
    ports = [vif["id"] for vif in played["cache"]]
    played["cache"] = []
    requested = neutron_replay.requests_of({"requested": [{"port_id": p} for p in ports]})
    replay.run("deallocate", played, requested=requested)
    assert replay.done()
    assert [r["method"] for r in replay.neutron.served] == ["GET", "PUT"]


def test_deallocation_leaves_a_requested_port_alone_that_serves_another_instance(replay):
    played = scenario("deallocate_again")
    other = "11111111-1111-4111-8111-111111111111"
    requested = neutron_replay.requests_of({"requested": [{"port_id": other}]})
    replay.run("deallocate", played, requested=requested)
    assert [r["method"] for r in replay.neutron.served] == ["GET"]


def test_release_keeps_the_profile_of_the_owner_and_drops_what_hosts_wrote(replay):
    played = scenario("deallocate_given")
    port = played["exchanges"][0]["answer"]["ports"][0]
    port["binding:profile"] = {"pci_slot": "0000:01:00.0", "allocation": {}, "capabilities": ["switchdev"]}
    port["dns_name"] = ""
    wanted = played["exchanges"][1]["body"]["port"]
    wanted.update({"binding:profile": {"capabilities": ["switchdev"]}, "dns_name": ""})
    replay.run("deallocate", played)
    assert replay.done()


def test_a_user_whom_neutron_refuses_the_deletion_is_replaced_by_the_administrator(replay):
    played = scenario("deallocate_made")
    delete = played["exchanges"][1]
    # What neutron 29 says to a user who comes without a service token.
    text = "rule:delete_port is disallowed by policy"
    refusal = {"NeutronError": {"type": "PolicyNotAuthorized", "message": text, "detail": ""}}
    played["exchanges"].insert(1, {**delete, "status": 403, "answer": refusal})
    played["exchanges"][2]["as"] = "admin"
    replay.run("deallocate", played)
    assert replay.done()


def test_our_own_context_acts_as_administrator(replay):
    played = scenario("deallocate_made")
    played["exchanges"][1]["as"] = "admin"
    replay.run("deallocate", played, context=get_admin_context())
    assert replay.done()


def test_a_stranger_without_a_token_is_refused(replay):
    played = scenario("one_new_port")
    played["exchanges"] = []
    with pytest.raises(errors.Unauthorized):
        replay.allocate(played, context=RequestContext(project_id="p", is_admin=False))


@pytest.mark.parametrize(
    ("admin_fails", "error"),
    [(False, errors.Unauthorized), (True, errors.NeutronAdminCredentialConfigurationInvalid)],
)
def test_a_refused_token_says_whose_it_was(replay, admin_fails, error):
    played = scenario("one_new_port" if admin_fails else "ambiguous")
    played["exchanges"] = [{**played["exchanges"][0], "status": 401, "answer": None}]
    with pytest.raises(error):
        replay.allocate(played)


def test_only_an_administrator_may_use_an_external_network(replay):
    played = scenario("external_refused")
    shared = scenario("external_refused")
    shared["exchanges"][1]["answer"]["networks"][0]["shared"] = True
    # Shared with the project: the next thing asked is the port.
    with pytest.raises(AssertionError, match=r"nothing more was to be asked.*POST"):
        replay.allocate(shared)
    played["exchanges"] = played["exchanges"][:1]
    context = neutron_replay.context_of(played, is_admin=True)
    with pytest.raises(AssertionError, match=r"nothing more was to be asked.*POST"):
        replay.allocate(played, context=context)


def test_a_port_made_by_a_request_whose_answer_was_lost_is_deleted(replay):
    played = scenario("one_new_port")
    networks, create = played["exchanges"][:2]
    made = create["answer"]["port"]
    uuid, network_id = played["instance"]["uuid"], networks["answer"]["networks"][0]["id"]
    create["status"] = neutron_replay.LOST
    look = {**networks, "path": "/v2.0/ports", "params": [["device_id", uuid], ["network_id", network_id]]}
    bound = {**made, "id": "bound-elsewhere", "device_owner": "compute:nova"}
    look["answer"] = {"ports": [made, bound]}
    delete = {**create, "method": "DELETE", "path": f"/v2.0/ports/{made['id']}", "body": None}
    delete.update(status=204, answer=None)
    played["exchanges"] = [networks, create, look, delete]
    with pytest.raises(errors.NetworkServiceUnavailable):
        replay.allocate(played)
    assert replay.done()


def test_no_token_shows_in_errors_or_logs(replay, caplog):
    caplog.set_level(logging.DEBUG)
    played = scenario("given_then_no_host")
    with pytest.raises(errors.PortBindingFailed) as caught:
        replay.allocate(played)
    played = scenario("deallocate_two")
    played["exchanges"][1].update(status=500, answer=None)
    with pytest.raises(errors.NetworkServiceUnavailable) as lost:
        replay.run("deallocate", played)
    assert caplog.text
    for text in (caplog.text, repr(caught.value), str(caught.value), repr(lost.value)):
        assert "token-of" not in text
        assert "user-token" not in text
