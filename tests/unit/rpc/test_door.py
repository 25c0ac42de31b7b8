"""Messages on the bus: who answers, what an error looks like, what is refused."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import oslo_messaging
import pytest

from computed import errors
from computed.rpc import server
from tests.unit.rpc.world import HOST, UUID, Door


@pytest.mark.parametrize("topic", ["compute", "compute-alt"])
@pytest.mark.parametrize("version", ["6.0", "6.5", "5.0", "5.13"])
def test_both_topics_and_both_versions_reach_the_operation(door: Door, topic: str, version: str) -> None:
    door.does("get_host_uptime", lambda: "up 3 days")
    assert door.call("get_host_uptime", version, topic) == "up 3 days"


def test_the_operation_gets_context_and_arguments(door: Door) -> None:
    door.does("stop_instance")
    door.cast("stop_instance", instance=door.instance(), clean_shutdown=True)
    [(_, arguments)] = door.arrived
    assert arguments["instance"].uuid == UUID
    assert arguments["clean_shutdown"] is True
    assert arguments["context"].request_id == door.context.request_id
    assert arguments["instance"]._context is arguments["context"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_base_namespace(door: Door, version: str) -> None:
    client = door.client(version, namespace="baseapi")
    assert client.call(door.context, "ping", arg={"a": [1]}) == {"service": "compute", "arg": {"a": [1]}}
    assert client.call(door.context, "get_backdoor_port") is None


@pytest.mark.parametrize(
    ("version", "namespace", "name", "error"),
    [
        ("6.6", None, "get_host_uptime", "UnsupportedVersion"),
        ("7.0", None, "get_host_uptime", "UnsupportedVersion"),
        ("4.0", None, "get_host_uptime", "UnsupportedVersion"),
        ("5.14", None, "get_host_uptime", "UnsupportedVersion"),
        ("1.2", "baseapi", "ping", "UnsupportedVersion"),
        ("6.0", "nowhere", "get_host_uptime", "UnsupportedVersion"),
        ("6.0", None, "no_such_verb", "NoSuchMethod"),
        ("6.0", None, "_host", "NoSuchMethod"),
        ("6.0", None, "target", "NoSuchMethod"),
        ("6.0", None, "prepare", "NoSuchMethod"),
        ("6.0", None, "close", "NoSuchMethod"),
        ("5.0", None, "method", "NoSuchMethod"),
        ("1.0", "baseapi", "method", "NoSuchMethod"),
    ],
)
def test_unknown_versions_and_methods(
    door: Door, version: str, namespace: str | None, name: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    target = oslo_messaging.Target(topic="compute", server=HOST, namespace=namespace, version="1.0")
    client = oslo_messaging.get_rpc_client(door.transport, target, timeout=5)
    with pytest.raises(getattr(oslo_messaging, error)):
        client.prepare(version=version).call(door.context.to_dict(), name)
    assert [r.levelname for r in caplog.records if r.name.startswith("computed")] == ["WARNING"]
    assert door.conductor.asked == []


def test_an_error_reaches_the_caller_as_the_class_it_is(door: Door) -> None:
    def fail() -> None:
        raise errors.HypervisorUnavailable(host=HOST)

    door.does("get_host_uptime", fail)
    with pytest.raises(errors.HypervisorUnavailable) as caught:
        door.call("get_host_uptime")
    assert caught.value.kwargs == {"host": HOST, "code": 500}
    assert door.notifier.told[0][0] == "get_host_uptime"


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (errors.ConductorTimeout("no answer"), errors.NovaException),
        (errors.ShuttingDown("bye"), errors.ComputeServiceUnavailable),
        (NotImplementedError(), NotImplementedError),
        (ValueError("odd"), ValueError),
    ],
)
def test_an_error_of_our_own_travels_as_one_that_others_know(
    door: Door, raised: Exception, seen: type[Exception]
) -> None:
    def fail() -> None:
        raise raised

    door.does("get_host_uptime", fail)
    with pytest.raises(seen):
        door.call("get_host_uptime")


def test_a_failure_is_logged_once_with_its_request_id(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    ids: list[Any] = []

    class Grab(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            from oslo_context import context

            current = context.get_current()
            ids.append((record.getMessage(), current.request_id if current else None))

    def fail() -> None:
        raise RuntimeError("broken on purpose")

    door.does("get_host_uptime", fail)
    handler = Grab(level=logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(RuntimeError):
            door.call("get_host_uptime")
    finally:
        logging.getLogger().removeHandler(handler)
    assert ids == [("RPC get_host_uptime failed", door.context.request_id)]


def test_an_expected_error_is_an_answer_and_not_logged(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    def fail(**arguments: Any) -> None:
        raise errors.ConsoleNotAvailable()

    door.does("get_console_output", fail)
    with pytest.raises(errors.ConsoleNotAvailable):
        door.call("get_console_output", instance=door.instance(), tail_length=3)
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "arguments",
    [{}, {"network_id": "n", "instance": None}, {"colour": 1}],
)
def test_arguments_that_do_not_fit_are_refused(door: Door, arguments: dict[str, Any]) -> None:
    door.does("add_fixed_ip_to_instance")
    with pytest.raises(TypeError):
        door.call("add_fixed_ip_to_instance", **arguments)
    assert door.arrived == []
    assert door.conductor.asked == []
    assert door.notifier.told == []


@pytest.mark.parametrize("values", [{"host": "elsewhere"}, {"deleted": True}])
def test_an_instance_that_is_not_here_is_refused_before_anything_is_touched(
    door: Door, values: dict[str, Any]
) -> None:
    door.does("stop_instance")
    with pytest.raises(errors.InstanceNotFound):
        door.call("stop_instance", instance=door.instance(**values), clean_shutdown=True)
    assert door.arrived == []
    assert door.conductor.asked == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("uuid", ["../../../etc/passwd", "", UUID.replace("-", ""), None])
def test_an_instance_is_known_by_a_uuid(door: Door, uuid: str | None) -> None:
    door.does("stop_instance")
    instance = door.instance()
    if uuid is None:
        delattr(instance, "_obj_uuid")
    else:
        instance.uuid = uuid
    with pytest.raises(ValueError, match="has no uuid"):
        door.call("stop_instance", instance=instance, clean_shutdown=True)
    assert door.arrived == []


def test_an_instance_on_its_way_here_is_welcome(door: Door) -> None:
    door.does("pre_live_migration")
    door.call("pre_live_migration", instance=door.instance(host="elsewhere"), disk=None, migrate_data=None)
    assert len(door.arrived) == 1


def test_a_message_of_ten_mebibytes(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    door.does("host_power_action", lambda action: str(len(action)))
    assert door.call("host_power_action", action="x" * (10 << 20)) == str(10 << 20)
    with pytest.raises(TypeError) as caught:
        door.call("host_power_action", **{"x" * (10 << 20): 1})
    assert len(str(caught.value)) < 5000
    assert max(len(r.getMessage()) for r in caplog.records if r.name.startswith("computed")) < 1000


def test_background_work_lets_the_rpc_thread_go_and_is_waited_for(door: Door) -> None:
    go, began = threading.Event(), threading.Event()

    def slow(**arguments: Any) -> None:
        began.set()
        assert go.wait(5)

    door.does("build_and_run_instance", slow)
    door.client().cast(
        door.context,
        "build_and_run_instance",
        instance=door.instance(host=None),
        image={},
        request_spec=None,
        filter_properties={},
        accel_uuids=[],
    )
    assert began.wait(5)
    # The message itself is done soon, so another one is served, and the work goes on.
    door.client("1.0", namespace="baseapi").call(door.context, "ping", arg=1)
    deadline = time.monotonic() + 5
    while door.inflight.counts() != {"build_and_run_instance": 1}:
        assert time.monotonic() < deadline, door.inflight.counts()
        time.sleep(0.01)
    assert not door.inflight.wait_idle(0.05)
    go.set()
    door.settle()
    assert door.inflight.counts() == {}


_BUILD = {"image": {}, "request_spec": None, "filter_properties": {}, "accel_uuids": []}


@pytest.mark.parametrize(
    ("name", "version", "more"),
    [
        ("stop_instance", "6.5", {"clean_shutdown": True}),
        ("stop_instance", "5.13", {"clean_shutdown": True}),
        ("build_and_run_instance", "6.5", _BUILD),
    ],
)
def test_who_has_caught_up_knows_of_the_instances_of_older_messages(
    door: Door, name: str, version: str, more: dict[str, Any]
) -> None:
    go = threading.Event()
    door.does(name, lambda **arguments: go.wait(5))
    door.client(version).cast(door.context, name, instance=door.instance(), **more)
    assert door.servers.has_caught_up()
    assert door.inflight.concerns(UUID)
    assert not door.inflight.concerns(UUID[::-1])
    go.set()
    door.settle()
    assert not door.inflight.concerns(UUID)


@pytest.mark.parametrize("args", [None, [], {"instance": 1}, {"instance": {"nova_object.data": {"uuid": 1}}}])
def test_what_is_about_no_instance_is_finished_all_the_same(door: Door, args: Any) -> None:
    target = oslo_messaging.Target(topic="compute", server=HOST)
    message = {"method": "stop_instance", "version": "6.0", "args": args}
    door.transport._send(target, {}, message)
    door.settle()
    assert door.inflight.counts() == {}


def test_who_is_not_served_has_not_caught_up(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MARK_SECONDS", 0.05)
    away = server.RpcServers(door.transport, "away", [], None, door.inflight)
    assert not away.has_caught_up()
