"""Every message that a stock client sends, at every version, through a real bus to the operation."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging._drivers import common as wire

from computed import errors, objects
from computed.clients.serializer import WireSerializer
from computed.rpc.calls import CALLS
from computed.rpc.legacy import SIGNATURES
from tests.unit.rpc.world import HOST, Door

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts" / "compute_rpc.json").read_text())
METHODS: dict[str, Any] = FACTS["methods"]
V5: dict[str, Any] = FACTS["v5_proxy"]["methods_with_own_signature"]

OBJECTS = {
    "bdm": "BlockDeviceMapping",
    "bdms": "BlockDeviceMappingList",
    "block_device_mapping": "BlockDeviceMappingList",
    "dest_check_data": "LibvirtLiveMigrateData",
    "flavor": "Flavor",
    "instance_type": "Flavor",
    "migrate_data": "LibvirtLiveMigrateData",
    "migration": "Migration",
    "request_spec": "RequestSpec",
    "requested_networks": "NetworkRequestList",
    "share_mapping": "ShareMapping",
}


def _value(door: Door, name: str) -> Any:
    """Something that the argument `name` may be."""
    if name == "instance":
        return door.instance()
    if name == "instances":
        return [door.instance()]
    if name == "events":
        return [objects.InstanceExternalEvent(name="network-changed")]
    if name in OBJECTS:
        return getattr(objects, OBJECTS[name])()
    return f"the {name}"


def _messages() -> list[Any]:
    """(method, version, arguments) of the stock client at every pin from 6.5 down to 5.0."""
    found = {}
    for name, fact in METHODS.items():
        sent = {"6.5": fact["client_6_5"], **fact["client_alternatives"]}
        latest = fact["client_6_5"]
        for cap, change in fact["client_differs_at_version_cap"].items():
            if "refused" not in change:
                sent[cap] = {**(latest or {}), **change}
        for message in sent.values():
            if message:
                found[name, message["version"], tuple(message["args"])] = message.get("topic") or "compute"
    return [
        pytest.param(name, version, list(arguments), topic, id=f"{name}-{version}-{len(arguments)}")
        for (name, version, arguments), topic in found.items()
    ]


@pytest.mark.parametrize(("name", "version", "arguments", "topic"), _messages())
def test_the_message_reaches_the_operation(
    door: Door, name: str, version: str, arguments: list[str], topic: str
) -> None:
    door.does(name)
    sent = {argument: _value(door, argument) for argument in arguments}
    door.call(name, version, topic, **sent)
    door.settle()
    [(_, received)] = door.arrived
    assert set(received) - {"context"} == {argument.name for argument in CALLS[name].arguments}
    for argument in set(arguments) & set(received):
        if argument in OBJECTS:
            assert received[argument].obj_name() == OBJECTS[argument]
        elif argument not in ("instance", "instances", "events"):
            assert received[argument] == f"the {argument}"


def test_every_method_has_been_sent_something() -> None:
    without_client = {"get_rdp_console"}
    assert {message.values[0] for message in _messages()} == set(METHODS) - without_client


@pytest.mark.parametrize("major", ["6.0", "5.0"])
@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_takes_exactly_the_recorded_arguments(door: Door, name: str, major: str) -> None:
    recorded = V5[name]["args"] if major == "5.0" and name in V5 else METHODS[name]["args"]
    required = [a["name"] for a in recorded if not a["has_default"]]
    every = [a["name"] for a in recorded]
    door.does(name)
    for given in (required, every):
        door.call(name, major, **{argument: _value(door, argument) for argument in given})
    door.settle()
    assert len(door.arrived) == 2
    for missing in required:
        with pytest.raises(TypeError, match=missing):
            door.call(name, major, **{a: _value(door, a) for a in every if a != missing})
    with pytest.raises(TypeError, match="colour"):
        door.call(name, major, colour=1, **{a: _value(door, a) for a in every})
    assert len(door.arrived) == 2


def test_version_5_has_the_recorded_signatures() -> None:
    assert {name: [a.name for a in s.arguments] for name, s in SIGNATURES.items()} == {
        name: [a["name"] for a in fact["args"]] for name, fact in V5.items()
    }


@pytest.mark.parametrize(
    ("name", "given", "received"),
    [
        ("unshelve_instance", {"accel_uuids": None}, {"accel_uuids": []}),
        ("rebuild_instance", {}, {"reimage_boot_volume": False, "target_state": None, "accel_uuids": None}),
        ("build_and_run_instance", {}, {"accel_uuids": None, "host_list": None}),
        ("finish_resize", {}, {"request_spec": None}),
    ],
)
def test_what_version_5_leaves_out(
    door: Door, name: str, given: dict[str, Any], received: dict[str, Any]
) -> None:
    door.does(name)
    required = [a["name"] for a in V5[name]["args"] if not a["has_default"]]
    door.call(name, "5.0", **{a: _value(door, a) for a in required}, **given)
    door.settle()
    [(_, arrived)] = door.arrived
    assert {key: arrived[key] for key in received} == received


def test_a_flavor_has_its_old_name_in_version_5(door: Door) -> None:
    door.does("resize_instance")
    arguments = ["instance", "image", "migration", "instance_type", "clean_shutdown"]
    door.call("resize_instance", "5.2", **{a: _value(door, a) for a in arguments})
    [(_, arrived)] = door.arrived
    assert arrived["flavor"].obj_name() == "Flavor"
    assert arrived["request_spec"] is None


@pytest.mark.parametrize("name", FACTS["public_manager_names_reachable_without_client"])
@pytest.mark.parametrize("version", ["6.0", "5.0"])
def test_what_only_stock_leaves_open_is_closed(door: Door, name: str, version: str) -> None:
    with pytest.raises(oslo_messaging.NoSuchMethod):
        door.call(name, version)


def test_which_calls_are_monitored() -> None:
    monitored = {name for name, fact in METHODS.items() if (fact["client_6_5"] or {}).get("call_monitor")}
    assert {"set_host_enabled", "reserve_block_device_name", "pre_live_migration"} <= monitored


@pytest.mark.parametrize("monitored", ["set_host_enabled", "reserve_block_device_name", "pre_live_migration"])
def test_a_monitored_call_sends_signs_of_life(door: Door, monitored: str) -> None:
    """The caller says how long it waits for one; it gets one in half that time."""
    beats: list[float] = []
    enough = threading.Event()

    class Incoming:
        client_timeout = 2
        ctxt = door.context.to_dict()
        message = {
            "method": monitored,
            "version": "6.0",
            "args": {
                a.name: WireSerializer().serialize_entity(door.context, _value(door, a.name))
                for a in CALLS[monitored].arguments
            },
        }

        def heartbeat(self) -> None:
            beats.append(1)
            enough.set()

    door.does(monitored, lambda **arguments: enough.wait(5) and None)
    door.servers._primary.dispatcher.dispatch(Incoming())
    assert beats == [1]


def test_failure_payloads(door: Door) -> None:
    for name, recorded in FACTS["wire_samples"].items():
        if not name.startswith("failure_payload"):
            continue
        error: Exception = NotImplementedError()
        if recorded["module"] == "nova.exception":
            arguments = {k: v for k, v in recorded["kwargs"].items() if k != "code"}
            error = errors.wire_classes()[recorded["class"]](**arguments)

        def fail(error: Exception = error) -> None:
            raise error

        door.does("get_host_uptime", fail)
        with pytest.raises(type(error)) as caught:
            door.call("get_host_uptime")
        payload = json.loads(wire.serialize_remote_exception(caught._excinfo))
        assert set(payload) == set(recorded)
        assert (payload["class"], payload["module"], payload["kwargs"]) == (
            recorded["class"],
            recorded["module"],
            recorded["kwargs"],
        )
        assert len(payload["args"]) == len(recorded["args"])


def test_the_samples_of_calls_are_understood(door: Door) -> None:
    samples = {k: v for k, v in FACTS["wire_samples"].items() if k.startswith(("call_", "cast_"))}
    assert len(samples) >= 3
    for sample in samples.values():
        message = sample["decoded_oslo_message"]
        context = {k.removeprefix("_context_"): v for k, v in message.items() if k.startswith("_context_")}
        text = json.dumps(message["args"]).replace('"HOST"', json.dumps(HOST))

        incoming = SimpleNamespace(
            client_timeout=None,
            ctxt=context,
            message={"method": message["method"], "version": message["version"], "args": json.loads(text)},
        )
        door.does(message["method"])
        door.servers._primary.dispatcher.dispatch(incoming)
        name, arrived = door.arrived.pop()
        assert name == message["method"]
        assert arrived["context"].request_id == context["request_id"]
