"""What the clients put on the bus, against the recorded facts: method, version, namespace, arguments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oslo_messaging
import pytest

from computed import objects
from computed.clients.compute_task import ComputeTaskClient
from computed.clients.conductor import ConductorIndirection, wait_for_conductor
from computed.clients.scheduler import SchedulerClient
from computed.clients.serializer import WireSerializer
from computed.conf import CONF
from computed.context import RequestContext
from computed.objects.base import ComputedObject

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts" / "conductor_rpc.json").read_text())
UUID = "aaaaaaaa-0000-4000-8000-000000000001"


class Bus:
    """A transport that writes down what is sent and answers calls as told."""

    def __init__(self) -> None:
        CONF([], default_config_files=[], default_config_dirs=[])
        self.real = oslo_messaging.get_rpc_transport(CONF, "fake://")
        self.sent: list[tuple[Any, dict[str, Any], bool]] = []
        self.answer: Any = None

    def send(
        self, target: Any, context: Any, message: Any, wait_for_reply: Any = None, **options: Any
    ) -> Any:
        self.sent.append((target, json.loads(json.dumps(message)), bool(wait_for_reply)))
        return self.answer


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    objects.register_all()
    bus, before = Bus(), ComputedObject.indirection_api
    monkeypatch.setattr(bus.real, "_send", bus.send)
    ComputedObject.indirection_api = ConductorIndirection(bus.real, WireSerializer())
    yield bus
    ComputedObject.indirection_api = before


@pytest.fixture
def context() -> RequestContext:
    return RequestContext(user_id="u", project_id="p", overwrite=False)


def _only(bus: Bus) -> tuple[Any, dict[str, Any], bool]:
    [sent] = bus.sent
    return sent


def _assert_is(
    sent: tuple[Any, dict[str, Any], bool], fact: dict[str, Any], topic: str, namespace: Any
) -> None:
    target, message, waits = sent
    assert (message["method"], message.get("version")) == (fact["method"], fact["version"])
    assert sorted(message["args"]) == sorted(fact["args"])
    assert message.get("namespace") == namespace
    assert (target.topic, bool(target.fanout), target.server) == (topic, fact["fanout"], None)
    assert waits is (fact["kind"] == "call")


def test_build_instances(bus: Bus, context: RequestContext) -> None:
    ComputeTaskClient(bus.real, WireSerializer()).build_instances(
        context,
        instances=[objects.Instance(context, uuid=UUID)],
        image={"id": "i"},
        filter_properties={"retry": {"num_attempts": 2}},
        admin_password="x",
        injected_files=[],
        requested_networks=objects.NetworkRequestList(objects=[]),
        security_groups=["default"],
        request_spec=objects.RequestSpec(),
        host_lists=[[]],
    )
    facts = FACTS["compute_task"]
    fact = facts["methods"]["build_instances"]["sent_at_cap"]["1.26"]
    _assert_is(_only(bus), fact, facts["topic"], facts["namespace"])


def test_resize_instance(bus: Bus, context: RequestContext) -> None:
    ComputeTaskClient(bus.real, WireSerializer()).resize_instance(
        context, instance=objects.Instance(context, uuid=UUID), scheduler_hint={}, flavor=objects.Flavor(id=1)
    )
    facts = FACTS["compute_task"]
    fact = facts["methods"]["migrate_server"]["do_cast"]["true"]
    _assert_is(_only(bus), fact, facts["topic"], facts["namespace"])
    arguments = _only(bus)[1]["args"]
    assert (arguments["live"], arguments["rebuild"], arguments["clean_shutdown"]) == (False, False, True)


SCHEDULER_CALLS: dict[str, Any] = {
    "update_instance_info": lambda client, context: client.update_instance_info(
        context, objects.InstanceList(objects=[])
    ),
    "delete_instance_info": lambda client, context: client.delete_instance_info(context, UUID),
    "sync_instance_info": lambda client, context: client.sync_instance_info(context, [UUID]),
}


@pytest.mark.parametrize("name", sorted(FACTS["scheduler"]["methods"]))
def test_the_schedulers_are_told(bus: Bus, context: RequestContext, name: str) -> None:
    client = SchedulerClient(bus.real, WireSerializer(), "here", is_enabled=True)
    SCHEDULER_CALLS[name](client, context)
    facts = FACTS["scheduler"]
    _assert_is(_only(bus), facts["methods"][name]["sent_at_cap"]["4.5"], facts["topic"], facts["namespace"])
    assert sorted(_only(bus)[1]["args"]) == sorted(facts["arguments"][name])
    assert _only(bus)[1]["args"]["host_name"] == "here"


@pytest.mark.parametrize("name", sorted(SCHEDULER_CALLS))
def test_or_not_when_they_do_not_want_to_know(bus: Bus, context: RequestContext, name: str) -> None:
    client = SchedulerClient(bus.real, WireSerializer(), "here", is_enabled=False)
    SCHEDULER_CALLS[name](client, context)
    assert bus.sent == []


def test_a_scheduler_that_cannot_be_told_stops_nothing(
    bus: Bus, context: RequestContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise oslo_messaging.MessageDeliveryFailure("no broker")

    monkeypatch.setattr(bus.real, "_send", fail)
    client = SchedulerClient(bus.real, WireSerializer(), "here", is_enabled=True)
    client.sync_instance_info(context, [UUID])
    assert "The schedulers were not told" in caplog.text


def test_object_methods(bus: Bus, context: RequestContext) -> None:
    facts = FACTS["conductor"]
    bus.answer = [{"obj_what_changed": []}, None]
    instance = objects.Instance(context, uuid=UUID, vm_state="active")
    instance.save(expected_task_state=["spawning"])
    bus.answer = 74
    objects.Service.get_minimum_version(context, "nova-compute")
    action, class_action = bus.sent
    for sent, name in ((action, "object_action"), (class_action, "object_class_action")):
        fact = facts["methods"][name]["sent_at_cap"]["3.0"]
        # Facts say null where the client's own version is meant.
        _assert_is(sent, {**fact, "version": facts["client_version"]}, facts["topic"], facts["namespace"])
    assert action[1]["args"]["objinst"]["nova_object.changes"]
    assert class_action[1]["args"]["object_versions"]["Service"] == "1.22"
    assert class_action[1]["args"]["args"] == ["nova-compute"]


def test_the_ping_at_start(bus: Bus, context: RequestContext) -> None:
    fact = FACTS["conductor_ping_at_start"]
    assert wait_for_conductor(bus.real, WireSerializer(), context)
    target, message, waits = _only(bus)
    assert message == {
        "method": fact["method"],
        "args": fact["args"],
        "namespace": fact["namespace"],
        "version": fact["version"],
    }
    assert (target.topic, waits) == (fact["topic"], True)
