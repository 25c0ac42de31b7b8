"""The conductor as the store of objects, on an in-memory bus with a conductor that answers as told."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging._drivers import common as wire

from computed import errors, objects
from computed.clients import messaging
from computed.clients.conductor import ConductorIndirection, wait_for_conductor
from computed.clients.serializer import WireSerializer
from computed.conf import CONF
from computed.context import RequestContext
from computed.objects.base import ComputedObject

UUID = "aaaaaaaa-0000-4000-8000-000000000001"


class Endpoint:
    target = oslo_messaging.Target(version="3.0")

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[Any] = []

    def _answer(self, what: str, details: dict[str, Any]) -> Any:
        self.asked.append((what, details))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def object_action(self, context: Any, objinst: Any, objmethod: str, args: Any, kwargs: Any) -> Any:
        return self._answer(f"{objinst.obj_name()}.{objmethod}", {"object": objinst, **kwargs})

    def object_class_action_versions(
        self, context: Any, objname: str, objmethod: str, object_versions: Any, args: Any, kwargs: Any
    ) -> Any:
        details = {"versions": object_versions, "args": args, **kwargs}
        return self._answer(f"{objname}.{objmethod}", details)

    def object_backport_versions(self, context: Any, objinst: Any, object_versions: Any) -> Any:
        return self._answer("backport", {"object": objinst, "versions": object_versions})


class Ping:
    target = oslo_messaging.Target(namespace="baseapi", version="1.0")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ping(self, context: Any, arg: str) -> dict[str, str]:
        self.asked.append(arg)
        return {"service": "conductor", "arg": arg}


@pytest.fixture(scope="module")
def bus() -> Any:
    objects.register_all()
    errors.install_remote_module()
    CONF([], default_config_files=[], default_config_dirs=[])
    return oslo_messaging.get_rpc_transport(CONF, "fake://", allowed_remote_exmods=["nova.exception"])


@pytest.fixture(scope="module")
def endpoint(bus: Any) -> Iterator[Endpoint]:
    endpoint = Endpoint()
    target = oslo_messaging.Target(topic="conductor", server="c1")
    server = oslo_messaging.get_rpc_server(bus, target, [endpoint, Ping()], serializer=RawObjects())
    server.start()
    yield endpoint
    server.stop()
    server.wait()


class RawObjects(WireSerializer):
    """Leaves envelopes that are too new as they are, as a conductor that is to backport them does."""

    def deserialize_entity(self, context: Any, entity: Any) -> Any:
        if isinstance(entity, dict) and entity.get("nova_object.version") == "99.9":
            return entity
        return super().deserialize_entity(context, entity)


@pytest.fixture
def conductor(bus: Any, endpoint: Endpoint) -> Iterator[Endpoint]:
    endpoint.asked.clear()
    endpoint.answers.clear()
    before = ComputedObject.indirection_api
    ComputedObject.indirection_api = ConductorIndirection(bus, WireSerializer())
    yield endpoint
    ComputedObject.indirection_api = before
    CONF.clear_override("rpc_response_timeout")


@pytest.fixture
def context() -> RequestContext:
    return RequestContext(user_id="u", project_id="p", overwrite=False)


def _instance(context: RequestContext) -> Any:
    instance = objects.Instance(context, uuid=UUID, vm_state="building", task_state="spawning")
    instance.obj_reset_changes()
    return instance


def test_a_save_sends_the_changes_and_takes_over_the_updates(
    conductor: Endpoint, context: RequestContext
) -> None:
    instance = _instance(context)
    instance.vm_state = "active"
    conductor.answers.append([{"task_state": None, "obj_what_changed": []}, None])
    instance.save(expected_task_state=["spawning"])
    [(what, details)] = conductor.asked
    assert what == "Instance.save"
    assert details["expected_task_state"] == ["spawning"]
    assert details["object"].obj_what_changed() == {"vm_state"}
    assert instance.task_state is None
    assert instance.obj_what_changed() == set()


def test_a_class_method_carries_the_manifest_and_returns_objects(
    conductor: Endpoint, context: RequestContext
) -> None:
    conductor.answers.append(objects.Service(context, host="h", binary="nova-compute", version=74))
    service = objects.Service.get_by_host_and_binary(context, "h", "nova-compute")
    assert (service.host, service.version) == ("h", 74)
    assert service._context.request_id == context.request_id
    [(what, details)] = conductor.asked
    assert what == "Service.get_by_host_and_binary"
    assert list(details["args"]) == ["h", "nova-compute"]
    assert details["versions"]["Service"] == "1.22"


def test_an_error_of_the_conductor_is_the_class_it_is(conductor: Endpoint, context: RequestContext) -> None:
    conductor.answers.append(errors.ServiceNotFound(service_id=3))
    with pytest.raises(errors.ServiceNotFound) as caught:
        objects.Service.get_by_id(context, 3)
    assert len(conductor.asked) == 1
    assert type(caught.value) is errors.ServiceNotFound
    assert caught.value.kwargs["service_id"] == 3
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        ["updates", None],
        [{}],
        [{"task_state": None, "launched_at": "never"}, None],
        [{"vm_state": "active", "flavor": {"what": "is this"}}, None],
    ],
)
def test_an_answer_that_makes_no_sense_leaves_the_object_alone(
    conductor: Endpoint, context: RequestContext, answer: Any
) -> None:
    instance = _instance(context)
    instance.vm_state = "active"
    before = copy.deepcopy(instance.obj_to_primitive())
    conductor.answers.append(answer)
    with pytest.raises(errors.InternalError):
        instance.save()
    assert instance.obj_to_primitive() == before


def test_a_read_is_repeated_when_no_answer_came(
    conductor: Endpoint, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lose_answers(monkeypatch, 2)
    conductor.answers.append(74)
    assert objects.Service.get_minimum_version(context, "nova-compute") == 74


def test_a_read_gives_up_in_the_end(
    conductor: Endpoint, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = _lose_answers(monkeypatch, 100)
    with pytest.raises(errors.ConductorTimeout, match=r"Service\.get_minimum_version"):
        objects.Service.get_minimum_version(context, "nova-compute")
    assert lost == [3]


@pytest.mark.parametrize("work", ["save", "create", "destroy"])
def test_what_changes_something_is_asked_once(
    conductor: Endpoint, context: RequestContext, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    lost = _lose_answers(monkeypatch, 100)
    service = objects.Service(context, host="h", report_count=1)
    with pytest.raises(errors.ConductorTimeout):
        getattr(service, work)()
    assert lost == [1]
    assert service.obj_what_changed() == {"host", "report_count"}


def test_an_event_is_not_begun_twice(
    conductor: Endpoint, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = _lose_answers(monkeypatch, 100)
    with pytest.raises(errors.ConductorTimeout):
        objects.InstanceActionEvent.event_start(context, UUID, "compute_stop_instance")
    assert lost == [1]


def _lose_answers(monkeypatch: pytest.MonkeyPatch, count: int) -> list[int]:
    """Let the next `count` calls time out, as when the broker has lost the answer; returns how many did."""
    original = oslo_messaging.RPCClient.call
    lost = [0]

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if lost[0] < count:
            lost[0] += 1
            raise oslo_messaging.MessagingTimeout("lost")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(oslo_messaging.RPCClient, "call", call)
    return lost


def test_a_question_that_cannot_be_sent_is_an_error_of_its_own(
    conductor: Endpoint, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise oslo_messaging.MessageDeliveryFailure("no broker")

    monkeypatch.setattr(oslo_messaging.RPCClient, "call", call)
    with pytest.raises(errors.ConductorUnavailable) as caught:
        objects.Service(context, host="h").save()
    assert not isinstance(caught.value, errors.ConductorTimeout)


def test_a_stranger_s_error_is_told_by_its_name_only(conductor: Endpoint, context: RequestContext) -> None:
    remote = oslo_messaging.RemoteError("DBDeadlock", "UPDATE instances SET secret = 'x'")
    with pytest.raises(errors.InternalError) as caught, messaging.bus_errors("Instance.save"):
        raise remote
    assert "DBDeadlock" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_traceback_of_the_other_side_is_not_part_of_an_error_s_text(context: RequestContext) -> None:
    try:
        raise errors.InstanceNotFound(instance_id=UUID)
    except errors.InstanceNotFound:
        payload = wire.serialize_remote_exception(sys.exc_info())
    rebuilt = wire.deserialize_remote_exception(payload, ["nova.exception"])
    assert "Traceback" in str(rebuilt)
    with pytest.raises(errors.InstanceNotFound) as caught, messaging.bus_errors("Instance.get_by_uuid"):
        raise rebuilt
    assert type(caught.value) is errors.InstanceNotFound
    assert str(caught.value) == f"No instance {UUID}."
    assert caught.value.kwargs == {"instance_id": UUID, "code": 404}


def test_an_object_newer_than_ours_is_backported(conductor: Endpoint, context: RequestContext) -> None:
    envelope = objects.Service(context, host="h", binary="nova-compute").obj_to_primitive()
    envelope["nova_object.version"] = "99.9"
    conductor.answers.append(objects.Service(context, host="h", binary="nova-compute"))
    read = WireSerializer().deserialize_entity(context, envelope)
    assert (read.obj_name(), read.host) == ("Service", "h")
    [(what, details)] = conductor.asked
    assert what == "backport"
    assert details["object"]["nova_object.version"] == "99.9"
    assert details["versions"]["Service"] == "1.22"


def test_waiting_for_a_conductor_that_is_there(
    bus: Any, conductor: Endpoint, context: RequestContext
) -> None:
    assert wait_for_conductor(bus, WireSerializer(), context)


def test_waiting_for_a_conductor_says_so_and_can_be_given_up(
    context: RequestContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    silent = oslo_messaging.get_rpc_transport(CONF, "fake://nobody")
    lost: list[Any] = []

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        lost.append((self.timeout, args[1], kwargs))
        raise oslo_messaging.MessagingTimeout("lost")

    monkeypatch.setattr("oslo_messaging.rpc.client._CallContext.call", call)
    monkeypatch.setattr("oslo_messaging.rpc.client._BaseCallContext.call", call, raising=False)
    assert not wait_for_conductor(silent, WireSerializer(), context, is_wanted=lambda: len(lost) < 12)
    assert [timeout for timeout, _, _ in lost] == [10] * 10 + [None] * 2
    assert lost[0][1:] == ("ping", {"arg": "1.21 GigaWatts"})
    assert "No nova-conductor answers" in caplog.text


@pytest.mark.parametrize(("timeout", "monitor"), [(60, None), (61, 60)])
def test_long_timeouts_ask_for_signs_of_life(
    bus: Any, conductor: Endpoint, timeout: int, monitor: int | None
) -> None:
    CONF.set_override("rpc_response_timeout", timeout)
    client = messaging.rpc_client(bus, oslo_messaging.Target(topic="t"), WireSerializer())
    assert client.call_monitor_timeout == monitor
