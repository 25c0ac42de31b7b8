"""Bindings of ports to hosts: what NeutronNetwork asks of neutron when an instance moves."""

import copy

import pytest

from computed import errors, objects
from tests.unit.clients import neutron_replay

scenario = neutron_replay.scenario
RECORDED_PORT = scenario("bind_to_host")["exchanges"][1]["answer"]["port"]
PORT = RECORDED_PORT["id"]
BINDING = {
    "host": "there",
    "vnic_type": "normal",
    "profile": {},
    "vif_type": "ovs",
    "vif_details": {},
    "status": "INACTIVE",
}


@pytest.fixture
def replay():
    return neutron_replay.Replay(neutron_replay.conf_of_tests())


def asked(method, path, *, status=200, answer=None, body=None, params=()):
    return {
        "as": "admin",
        "method": method,
        "path": f"/v2.0/{path}",
        "params": [list(p) for p in params],
        "body": body,
        "status": status,
        "answer": answer,
    }


def fault(kind):
    return {"NeutronError": {"type": kind, "message": "", "detail": ""}}


def played(*exchanges, cache=None):
    made = scenario("bind_to_host")
    made["exchanges"] = [copy.deepcopy(exchange) for exchange in exchanges]
    if cache is not None:
        made["cache"] = cache
    return made


def listing(**changes):
    found = scenario("bind_to_host")["exchanges"][0]
    found["answer"]["ports"][0].update(changes)
    return found


def described():
    """What is asked after the ports to describe them: networks, floating addresses, subnets, DHCP ports."""
    return scenario("network_info")["exchanges"][1:]


def migration(kind):
    return objects.Migration(migration_type=kind)


def test_a_port_bound_elsewhere_is_bound_here_and_described_with_one_list_of_the_ports(replay):
    whole = played(listing(), scenario("bind_to_host")["exchanges"][1], *described())
    (vif,) = replay.run("bind_to_host", whole, host="netprobe")
    assert (vif["id"], vif["type"]) == (PORT, "ovs")
    assert replay.done()
    assert sum(replay.network.requests.values()) == 6


def test_a_port_bound_here_already_is_not_touched(replay):
    here = {"binding:host_id": "netprobe", "binding:vif_type": "ovs"}
    replay.run("bind_to_host", played(listing(**here), *described()), host="netprobe")
    assert replay.done()
    assert "PUT ports" not in replay.network.requests


def test_an_instance_without_ports_costs_one_request(replay):
    nothing = listing()
    nothing["answer"]["ports"] = []
    assert replay.run("bind_to_host", played(nothing), host="netprobe") == []
    assert replay.done()


def test_the_mark_of_a_move_goes_when_the_port_arrives(replay):
    marked = listing(**{"binding:profile": {"migrating_to": "netprobe", "capabilities": ["x"]}})
    update = scenario("bind_to_host")["exchanges"][1]
    update["body"]["port"]["binding:profile"] = {"capabilities": ["x"]}
    replay.run("bind_to_host", played(marked, update, *described()), host="netprobe")
    assert replay.done()


REQUEST = {"resource_request": {"request_groups": [{"id": "group-1", "resources": {"NET_BW_EGR": 1}}]}}


def test_a_resource_request_is_served_by_the_providers_of_the_new_host(replay):
    update = scenario("bind_to_host")["exchanges"][1]
    update["body"]["port"]["binding:profile"] = {"allocation": {"group-1": "provider-1"}}
    move = played(listing(**REQUEST), update, *described())
    replay.run("bind_to_host", move, host="netprobe", providers={"group-1": ["provider-1"]})
    assert replay.done()


def test_who_serves_a_resource_request_may_be_asked_for(replay):
    update = scenario("bind_to_host")["exchanges"][1]
    update["body"]["port"]["binding:profile"] = {"allocation": {"group-1": "provider-1"}}
    move = played(listing(**REQUEST), update, *described())
    replay.run("bind_to_host", move, host="netprobe", providers=lambda wanted: {"group-1": ["provider-1"]})
    assert replay.done()
    with pytest.raises(errors.PortUpdateFailed):
        replay.run("bind_to_host", played(listing(**REQUEST)), host="netprobe", providers=lambda wanted: {})
    assert replay.done()


def test_nothing_is_bound_when_nobody_serves_a_resource_request(replay):
    with pytest.raises(errors.PortUpdateFailed):
        replay.run("bind_to_host", played(listing(**REQUEST)), host="netprobe", providers={})
    assert replay.done()


@pytest.mark.parametrize(
    "told", [{"providers": None}, {"providers": {}, "migration": migration("live-migration")}]
)
def test_the_profile_stays_when_nothing_is_known_of_providers_or_the_move_is_live(replay, told):
    move = played(listing(**REQUEST), scenario("bind_to_host")["exchanges"][1], *described())
    replay.run("bind_to_host", move, host="netprobe", **told)
    assert replay.done()


def test_a_port_without_any_binding_gets_one_through_the_binding_api(replay):
    bare = listing()
    for key in [key for key in bare["answer"]["ports"][0] if key.startswith("binding:")]:
        del bare["answer"]["ports"][0][key]
    body = {"binding": {"host": "netprobe", "profile": {}}}
    made = {"binding": {**BINDING, "host": "netprobe", "status": "ACTIVE"}}
    create = asked("POST", f"ports/{PORT}/bindings", status=201, answer=made, body=body)
    (vif,) = replay.run("bind_to_host", played(bare, create, *described()), host="netprobe")
    assert vif["type"] == "ovs"


def create(status=201, answer=None):
    body = {"binding": {"host": "there", "vnic_type": "normal", "profile": {}}}
    answer = answer or {"binding": BINDING}
    return asked("POST", f"ports/{PORT}/bindings", status=status, answer=answer, body=body)


def delete(status=204, answer=None, port=PORT):
    return asked("DELETE", f"ports/{port}/bindings/there", status=status, answer=answer)


def test_an_inactive_binding_is_made_on_the_destination(replay):
    assert replay.run("create_bindings", played(create()), host="there") == {PORT: BINDING}
    assert replay.done()


def test_a_binding_that_is_there_already_is_taken(replay):
    show = asked("GET", f"ports/{PORT}/bindings/there", answer={"binding": BINDING})
    exists = create(409, fault("PortBindingAlreadyExists"))
    assert replay.run("create_bindings", played(exists, show), host="there") == {PORT: BINDING}
    assert replay.done()


@pytest.mark.parametrize(
    "answer", [(201, {"binding": {**BINDING, "vif_type": "binding_failed"}}), (500, None)]
)
def test_all_or_no_port_gets_a_binding(replay, answer):
    first = scenario("bind_to_host")["cache"][0]
    second = {**first, "id": "11111111-1111-4111-8111-111111111111"}
    fails = create(*answer)
    fails["answer"] = answer[1]
    made = create()
    made["path"] = f"/v2.0/ports/{second['id']}/bindings"
    back = [delete(port=second["id"]), delete(404, fault("PortBindingNotFound"))]
    with pytest.raises(errors.PortBindingFailed):
        replay.run("create_bindings", played(made, fails, *back, cache=[second, first]), host="there")
    assert replay.done()


def activate(status=200, answer=None):
    return asked("PUT", f"ports/{PORT}/bindings/there/activate", status=status, answer=answer or {})


@pytest.mark.parametrize(
    "answer",
    [
        (200, None),
        (404, fault("PortBindingNotFound")),
        (404, fault("PortNotFound")),
        (409, fault("PortBindingAlreadyActive")),
    ],
)
def test_a_binding_is_activated_where_there_is_one_to_activate(replay, answer):
    replay.run("activate_bindings", played(activate(*answer)), host="there")
    assert replay.done()


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_binding_that_cannot_be_activated_has_its_own_error(replay, status):
    with pytest.raises(errors.PortBindingActivationFailed):
        replay.run("activate_bindings", played(activate(status, fault("Whatever"))), host="there")


@pytest.mark.parametrize(
    "answer", [(204, None), (404, fault("PortBindingNotFound")), (404, fault("PortNotFound"))]
)
def test_a_binding_that_is_gone_is_as_good_as_deleted(replay, answer):
    replay.run("delete_bindings", played(delete(*answer)), host="there")
    assert replay.done()
    assert sum(replay.network.requests.values()) == 1


def test_every_binding_is_tried_and_those_left_are_named(replay):
    first = scenario("bind_to_host")["cache"][0]
    second = {**first, "id": "11111111-1111-4111-8111-111111111111"}
    whole = played(delete(500), delete(port=second["id"]), cache=[first, second])
    with pytest.raises(errors.PortBindingDeletionFailed, match=PORT):
        replay.run("delete_bindings", whole, host="there")
    assert replay.done()


def test_without_a_cache_the_ports_are_asked_for(replay):
    replay.run("delete_bindings", played(listing(), delete(), cache=[]), host="there")
    assert replay.done()


def update(profile):
    body = {"port": {"binding:profile": profile}}
    return asked("PUT", f"ports/{PORT}", answer={"port": RECORDED_PORT}, body=body)


def test_a_move_is_marked_in_the_profile_once_and_taken_back(replay):
    profile = {"capabilities": ["x"]}
    marked = {**profile, "migrating_to": "there"}
    fresh = listing(**{"binding:profile": profile, "binding:host_id": "here"})
    replay.run("mark_migrating", played(fresh, update(marked)), host="there")
    assert replay.done()
    again = listing(**{"binding:profile": marked, "binding:host_id": "here"})
    replay.run("mark_migrating", played(again), host="there")
    assert replay.done()
    replay.run("unmark_migrating", played(again, update(profile)))
    assert replay.done()


def test_extensions_are_asked_for_once(replay):
    aliases = {"extensions": [{"alias": "binding-extended"}, {"alias": "router"}]}
    replay.expect(played(asked("GET", "extensions", answer=aliases)))
    context = neutron_replay.context_of(scenario("bind_to_host"))
    assert replay.network.supports_multiple_bindings(context) is True
    assert replay.network.supports_multiple_bindings(context) is True
    assert replay.network.requests == {"GET extensions": 1}


def test_a_neutron_without_the_extension_says_so(replay):
    replay.expect(played(asked("GET", "extensions", answer={"extensions": [{"alias": "router"}]})))
    context = neutron_replay.context_of(scenario("bind_to_host"))
    assert replay.network.supports_multiple_bindings(context) is False


def test_a_live_migration_asks_ten_times_at_most(replay):
    """Both hosts together, one port: look for the extension, mark, switch, look and describe, delete."""
    aliases = {"extensions": [{"alias": "binding-extended"}]}
    replay.expect(played(asked("GET", "extensions", answer=aliases)))
    assert replay.network.supports_multiple_bindings(neutron_replay.context_of(scenario("bind_to_host")))
    fresh = listing(**{"binding:host_id": "here", "binding:profile": {}})
    replay.run("mark_migrating", played(fresh, update({"migrating_to": "there"})), host="there")
    replay.run("activate_bindings", played(activate()), host="there")
    here = listing(**{"binding:host_id": "there", "binding:vif_type": "ovs", "binding:profile": {}})
    move = migration("live-migration")
    replay.run("bind_to_host", played(here, *described()), host="there", migration=move)
    old = delete()
    old["path"] = f"/v2.0/ports/{PORT}/bindings/here"
    replay.run("delete_bindings", played(old), host="here")
    assert replay.done()
    assert sum(replay.network.requests.values()) <= 10, replay.network.requests
