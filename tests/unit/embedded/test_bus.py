"""The in-memory bus: queues, fan-out, failures, signs of life and a lost broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import oslo_messaging as messaging
import pytest
from oslo_config import cfg

from computed import errors
from computed.context import get_admin_context
from computed.embedded.bus import MemoryBus
from computed.embedded.conductor.server import EnvelopeSerializer

errors.install_remote_module()


class Endpoint:
    def __init__(self, name: str) -> None:
        self.name = name
        self.got: list[Any] = []
        self.called = threading.Event()

    def note(self, context: Any, what: Any) -> None:
        self.got.append(what)
        self.called.set()

    def who(self, context: Any) -> str:
        return self.name

    def fail(self, context: Any) -> None:
        raise errors.InstanceNotFound(instance_id="x")

    def fail_oddly(self, context: Any) -> None:
        raise LookupError("odd")

    def sleep(self, context: Any, seconds: float) -> str:
        time.sleep(seconds)
        return "awake"


class Net:
    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.transport = self.bus.rpc_transport(cfg.ConfigOpts())
        self.servers: list[Any] = []

    def serve(self, name: str) -> tuple[Endpoint, Any]:
        endpoint = Endpoint(name)
        target = messaging.Target(topic="t", server=name)
        server = messaging.get_rpc_server(
            self.transport, target, [endpoint], executor="threading", serializer=EnvelopeSerializer()
        )
        server.start()
        self.servers.append(server)
        return endpoint, server

    def client(self, **options: Any) -> Any:
        target = messaging.Target(topic="t")
        return messaging.get_rpc_client(self.transport, target, serializer=EnvelopeSerializer(), **options)

    def call(self, method: str, *, server: str | None = None, timeout: float = 5, **args: Any) -> Any:
        client = self.client(timeout=timeout).prepare(server=server)
        return client.call(get_admin_context(), method, **args)

    def cast(self, method: str, **args: Any) -> None:
        target = {key: args.pop(key) for key in ("server", "fanout") if key in args}
        self.client().prepare(**target).cast(get_admin_context(), method, **args)


@pytest.fixture
def net() -> Iterator[Net]:
    net = Net()
    yield net
    for server in net.servers:
        server.stop()
        server.wait()


def eventually(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end and not true():
        time.sleep(0.005)
    return true()


def test_call_goes_to_the_named_server_and_else_in_turn(net: Net) -> None:
    net.serve("a")
    net.serve("b")
    assert net.call("who", server="b") == "b"
    assert {net.call("who") for _ in range(2)} == {"a", "b"}


def test_fan_out_reaches_every_server(net: Net) -> None:
    a, _ = net.serve("a")
    b, _ = net.serve("b")
    net.cast("note", fanout=True, what=1)
    assert eventually(lambda: a.got == b.got == [1])


def test_message_is_a_copy_that_has_been_json(net: Net) -> None:
    endpoint, _ = net.serve("a")
    sent = {"tuple": (1, 2)}
    net.call("note", what=sent)
    sent["tuple"] = ()
    assert endpoint.got == [{"tuple": [1, 2]}]


def test_cast_waits_for_a_server_that_comes_later(net: Net) -> None:
    net.cast("note", server="a", what="early")
    endpoint, server = net.serve("a")
    assert endpoint.called.wait(5)
    server.stop()
    server.wait()
    net.cast("note", server="a", what="late")
    again, _ = net.serve("a")
    assert again.called.wait(5)
    assert (endpoint.got, again.got) == (["early"], ["late"])


def test_failures_travel_and_are_rebuilt(net: Net) -> None:
    net.serve("a")
    with pytest.raises(errors.InstanceNotFound) as raised:
        net.call("fail")
    assert type(raised.value).__name__ == "InstanceNotFound_Remote"
    assert raised.value.kwargs["instance_id"] == "x"
    with pytest.raises(LookupError):
        net.call("fail_oddly")


def test_unanswered_call_times_out(net: Net) -> None:
    with pytest.raises(messaging.MessagingTimeout):
        net.call("who", server="nobody", timeout=0.1)


def test_monitored_call_lives_as_long_as_there_are_signs_of_life(net: Net) -> None:
    net.serve("a")
    client = net.client(timeout=10, call_monitor_timeout=2)
    assert client.call(get_admin_context(), "sleep", seconds=2.3) == "awake"


def test_lost_broker_refuses_to_take_messages(net: Net) -> None:
    net.serve("a")
    net.bus.down = True
    with pytest.raises(messaging.MessageDeliveryFailure):
        net.call("who")
    net.bus.down = False
    assert net.call("who") == "a"
