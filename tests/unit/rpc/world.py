"""A door on an in-memory bus: real clients, real servers, operations and a conductor that write down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import oslo_messaging

from computed import errors, objects
from computed.clients.serializer import WireSerializer
from computed.conf import CONF
from computed.context import RequestContext
from computed.lib.locks import KeyedLocks
from computed.manager import ComputeManager
from computed.objects.base import NoConductor
from computed.rpc.call import Call
from computed.rpc.calls import CALLS
from computed.rpc.endpoints import BaseEndpoint
from computed.rpc.inflight import InFlight
from computed.rpc.legacy import LegacyEndpoint
from computed.rpc.server import RpcServers

HOST = "here"
UUID = "aaaaaaaa-0000-4000-8000-000000000001"
WAIT_SECONDS = 10


class Recorder(NoConductor):
    """In place of the conductor: writes down what it is asked and says yes, or fails as told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.failures: dict[str, Exception] = {}

    def object_action(
        self, context: Any, objinst: Any, objmethod: str, args: Any, kwargs: Any
    ) -> tuple[dict[str, Any], Any]:
        changes = {k: v for k, v in objinst.obj_get_changes().items() if k != "updated_at"}
        self._note(f"{objinst.obj_name()}.{objmethod}", {**changes, **kwargs})
        return {"obj_what_changed": []}, None

    def object_class_action_versions(
        self, context: Any, objname: str, objmethod: str, object_versions: Any, args: Any, kwargs: Any
    ) -> Any:
        self._note(f"{objname}.{objmethod}", {"args": args, **kwargs})

    def _note(self, what: str, details: dict[str, Any]) -> None:
        self.asked.append((what, details))
        if what in self.failures:
            raise self.failures[what]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def details(self, name: str) -> dict[str, Any]:
        found = [details for asked, details in self.asked if asked == name]
        assert len(found) == 1, f"{name} was asked {len(found)} times"
        return found[0]


class Notifier:
    def __init__(self) -> None:
        self.told: list[tuple[str, Exception]] = []

    def exception(self, context: Any, error: Exception, name: str, arguments: Any) -> None:
        self.told.append((name, error))


class Images:
    def __init__(self) -> None:
        self.deleted: list[str] = []

    def delete(self, context: Any, image_id: str) -> None:
        self.deleted.append(image_id)


class Door:
    """Everything a test needs to send messages to a compute and to see what came of them."""

    def __init__(self) -> None:
        errors.install_remote_module()
        objects.register_all()
        # oslo.messaging keeps some of its options in the global object only.
        CONF([], default_config_files=[], default_config_dirs=[])
        self.transport = oslo_messaging.get_rpc_transport(
            CONF, "fake://", allowed_remote_exmods=["nova.exception"]
        )
        self.host: Any = SimpleNamespace(name=HOST, locks=KeyedLocks(), stopping=threading.Event())
        self.inflight = InFlight()
        self.calls: dict[str, Call] = {}
        self.manager = ComputeManager(self.host, self.inflight, self.calls, background_workers=2)
        endpoints = [self.manager, BaseEndpoint(), LegacyEndpoint(self.manager)]
        self.servers = RpcServers(self.transport, HOST, endpoints, WireSerializer(), self.inflight)
        self.reset()

    def reset(self) -> None:
        """Forget what the last test did; starting and stopping the servers takes a second."""
        self.calls.update(CALLS)
        self.conductor = Recorder()
        # Nobody waits for a conductor that is away, unless a test says so.
        self.host.stopping.set()
        self.notifier = self.host.notifier = Notifier()
        self.images = self.host.images = Images()
        self.arrived: list[tuple[str, dict[str, Any]]] = []
        self.context = RequestContext(user_id="u", project_id="p", overwrite=False)

    def does(self, name: str, work: Callable[..., Any] | None = None) -> None:
        """Let the operation behind `name` write down its arguments and then do `work`."""

        def operation(host: Any, context: Any, /, **arguments: Any) -> Any:
            self.arrived.append((name, {"context": context, **arguments}))
            return work(**arguments) if work else None

        self.calls[name] = replace_operation(self.calls[name], operation)

    def client(self, version: str = "6.5", topic: str = "compute", **kwargs: Any) -> Any:
        target = oslo_messaging.Target(topic=topic, server=HOST, version=version, **kwargs)
        return oslo_messaging.get_rpc_client(
            self.transport, target, timeout=WAIT_SECONDS, serializer=WireSerializer()
        )

    def call(self, name: str, version: str = "6.5", topic: str = "compute", **arguments: Any) -> Any:
        return self.client(version, topic).call(self.context, name, **arguments)

    def cast(self, name: str, version: str = "6.5", topic: str = "compute", **arguments: Any) -> None:
        """Send a cast and wait for its end."""
        self.client(version, topic).cast(self.context, name, **arguments)
        self.settle()

    def settle(self) -> None:
        """Wait until everything sent so far has been received and finished.

        The bus keeps the order of a topic, so an answered ping means that what was sent before it has
        been received.
        """
        for topic in ("compute", "compute-alt"):
            self.client("1.1", topic, namespace="baseapi").call(self.context, "ping", arg="settle")
        assert self.inflight.wait_idle(WAIT_SECONDS), self.inflight.counts()

    def instance(self, **values: Any) -> Any:
        fields = {"uuid": UUID, "host": HOST, "task_state": "powering-off", "vm_state": "active", **values}
        instance = objects.Instance(self.context, **fields)
        instance.obj_reset_changes()
        return instance


def replace_operation(call: Call, operation: Callable[..., Any]) -> Call:
    return replace(call, operation=operation)
