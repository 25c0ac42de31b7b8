"""An in-memory message bus: what a broker does for the one-host cloud, without one."""

from __future__ import annotations

import importlib
import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import oslo_messaging as messaging
from oslo_messaging import transport as messaging_transport
from oslo_messaging._drivers import base, common
from oslo_serialization import jsonutils

ALLOWED_REMOTE_EXMODS = ["nova.exception"]

Address = tuple[str, str | None]
"""Topic and server; no server is the queue that all servers of the topic share."""


class MemoryBus:
    """Queues in memory, shared by all transports made from it.

    It behaves as a broker does where that can be seen: messages and replies are JSON, failures travel as
    text and are rebuilt, a message waits for a server that is not there yet, and one that no listener has
    taken when it stops waits for the next. `oslo.messaging`'s own `fake://` does none of that, shares its
    queues process-wide and looks into them every 50 ms.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.down = False
        """Set it to lose the broker: sending then fails with MessageDeliveryFailure."""
        self._waiting: defaultdict[Address, deque[_Incoming]] = defaultdict(deque)
        self._listeners: defaultdict[Address, deque[_Listener]] = defaultdict(deque)

    def rpc_transport(self, conf: Any) -> messaging_transport.RPCTransport:
        """A transport for RPC servers and clients of this bus."""
        return messaging_transport.RPCTransport(_Driver(self, conf))

    def notification_transport(self, conf: Any) -> messaging_transport.NotificationTransport:
        """A transport for notifications."""
        return messaging_transport.NotificationTransport(_Driver(self, conf))

    def disconnect(self, transport: messaging_transport.Transport) -> None:
        """Treat the process behind a transport as dead: it sends, takes and answers nothing any more."""
        transport._driver.die()

    def is_quiet(self) -> bool:
        """Whether every message that was sent to somebody who listens has been taken."""
        with self.lock:
            return all(listener.inbox.empty() for known in self._listeners.values() for listener in known)

    def deliver(self, address: Address, message: _Incoming, *, keep: bool = True) -> None:
        """Put a message into the queue of an address; with `keep` it waits there for a listener."""
        with self.lock:
            listeners = self._listeners[address]
            if listeners:
                listeners[0].inbox.put(message)
                listeners.rotate(-1)
            elif keep:
                self._waiting[address].append(message)

    def fan_out(self, topic: str, make: Callable[[], _Incoming]) -> None:
        """Put a message into the queue of every server of a topic that listens now."""
        with self.lock:
            servers = [address for address, known in self._listeners.items() if known and address[1]]
            for address in servers:
                if address[0] == topic:
                    self._listeners[address][0].inbox.put(make())

    def attach(self, listener: _Listener) -> None:
        """Begin to give messages for the listener's addresses to it, waiting ones first."""
        with self.lock:
            for address in listener.addresses:
                self._listeners[address].append(listener)
                waiting = self._waiting.pop(address, ())
                for message in waiting:
                    listener.inbox.put(message)

    def detach(self, listener: _Listener) -> None:
        """Stop giving messages to the listener; what it has not taken waits for the next one."""
        with self.lock:
            for address in listener.addresses:
                if listener in self._listeners[address]:
                    self._listeners[address].remove(listener)
            while True:
                try:
                    message = listener.inbox.get_nowait()
                except queue.Empty:
                    return
                if message is not None:
                    self._waiting[message.address].append(message)


class _Incoming(base.RpcIncomingMessage):  # type: ignore[misc,unused-ignore]
    """A message on its way to a server, and the way back for its reply."""

    def __init__(self, address: Address, ctxt: str, message: str, replies: queue.Queue[Any] | None):
        super().__init__(jsonutils.loads(ctxt), jsonutils.loads(message))
        self.address = address
        self.taken_by: _Listener | None = None
        self._replies = replies

    def reply(self, reply: Any = None, failure: Any = None) -> None:
        """Send the result, or the failure (exception info), to the caller, if one waits."""
        if self._replies is None or (self.taken_by and self.taken_by.is_dead):
            return
        if failure:
            self._replies.put(("failure", common.serialize_remote_exception(failure)))
        else:
            self._replies.put(("reply", jsonutils.dumps(reply)))

    def heartbeat(self) -> None:
        """Tell a caller who monitors the call that the work goes on."""
        if self._replies is not None:
            self._replies.put(("heartbeat", None))

    def requeue(self) -> None:
        """Not offered: a dispatcher that refuses a message is not used here."""
        raise NotImplementedError


class _Listener(base.PollStyleListener):  # type: ignore[misc,unused-ignore]
    """One server's end of the bus."""

    def __init__(self, bus: MemoryBus, addresses: list[Address]) -> None:
        super().__init__()
        self.addresses = addresses
        self.inbox: queue.Queue[_Incoming | None] = queue.Queue()
        self.is_dead = False
        self._bus = bus
        self._stopped = False
        bus.attach(self)

    def poll(
        self, timeout: float | None = None, batch_size: int = 1, batch_timeout: float | None = None
    ) -> list[_Incoming]:
        """The next message in a list, or an empty list after `timeout` seconds or when stopped."""
        try:
            message = self.inbox.get(block=not self._stopped, timeout=timeout)
        except queue.Empty:
            return []
        if message is None:
            return []
        message.taken_by = self
        return [message]

    def stop(self) -> None:
        """Take no more messages; wakes the poller."""
        self._stopped = True
        self._bus.detach(self)
        self.inbox.put(None)

    def cleanup(self) -> None:
        """Nothing is kept open."""


class _Driver(base.BaseDriver):  # type: ignore[misc,unused-ignore]
    """What oslo.messaging asks of a bus."""

    def __init__(self, bus: MemoryBus, conf: Any) -> None:
        _make_observing_options_known(conf)
        url = messaging.TransportURL(conf, transport="memory")
        super().__init__(conf, url, None, ALLOWED_REMOTE_EXMODS)
        self._bus = bus
        self._listeners: list[_Listener] = []
        self._is_dead = False

    def die(self) -> None:
        """See MemoryBus.disconnect."""
        self._is_dead = True
        for listener in self._listeners:
            listener.is_dead = True
            self._bus.detach(listener)

    def require_features(self, requeue: bool = False) -> None:
        """Every feature that is asked for is there, but requeue."""
        if requeue:
            raise NotImplementedError

    def send(  # noqa: PLR0913  the signature is oslo.messaging's
        self,
        target: messaging.Target,
        ctxt: dict[str, Any],
        message: dict[str, Any],
        wait_for_reply: bool | None = None,
        timeout: float | None = None,
        call_monitor_timeout: float | None = None,
        retry: int | None = None,
        transport_options: Any = None,
    ) -> Any:
        """Send to one server, to any of a topic or to all; waits for the reply of a call."""
        if self._bus.down or self._is_dead:
            raise messaging.MessageDeliveryFailure("the message bus is down")
        text, context = jsonutils.dumps(message), jsonutils.dumps(ctxt)
        replies: queue.Queue[Any] | None = queue.Queue() if wait_for_reply else None
        address = (target.topic, target.server)
        if target.fanout:
            self._bus.fan_out(target.topic, lambda: _Incoming(address, context, text, None))
            return None
        incoming = _Incoming(address, context, text, replies)
        incoming.client_timeout = call_monitor_timeout
        self._bus.deliver(address, incoming)
        if replies is None:
            return None
        return _await_reply(replies, timeout, call_monitor_timeout, target, message.get("method"))

    def send_notification(
        self, target: messaging.Target, ctxt: Any, message: Any, version: float, retry: Any = None
    ) -> None:
        """Give a notification to whoever listens; nobody listens, nobody keeps it."""
        address = (target.topic, None)
        incoming = _Incoming(address, jsonutils.dumps(ctxt), jsonutils.dumps(message), None)
        self._bus.deliver(address, incoming, keep=False)

    def listen(self, target: messaging.Target, batch_size: int, batch_timeout: float | None) -> Any:
        """Listen as `target.server` on `target.topic`."""
        listener = self._attach([(target.topic, target.server), (target.topic, None)])
        return base.PollStyleListenerAdapter(listener, batch_size, batch_timeout)

    def listen_for_notifications(
        self, targets_and_priorities: Any, pool: Any, batch_size: int, batch_timeout: float | None
    ) -> Any:
        """Listen for notifications of the given topics and priorities."""
        addresses: list[Address] = [
            (f"{target.topic}.{priority}", None) for target, priority in targets_and_priorities
        ]
        return base.PollStyleListenerAdapter(self._attach(addresses), batch_size, batch_timeout)

    def _attach(self, addresses: list[Address]) -> _Listener:
        self._listeners.append(_Listener(self._bus, addresses))
        return self._listeners[-1]

    def cleanup(self) -> None:
        """The bus outlives its transports."""


def _make_observing_options_known(conf: Any) -> None:
    # Tracing and metrics of oslo.messaging read their options from the configuration of the transport, but
    # declare them in the process-wide one only; releases differ in which of the two they have.
    for what in ("tracing", "metrics"):
        group = f"oslo_messaging_{what}"
        try:
            options = getattr(importlib.import_module(f"oslo_messaging._{what}.client"), group)
        except (ImportError, AttributeError):
            continue
        conf.register_opts(options, group=group)


def _await_reply(
    replies: queue.Queue[Any],
    timeout: float | None,
    monitor_timeout: float | None,
    target: messaging.Target,
    method: str | None,
) -> Any:
    """The reply of a call, or its failure raised.

    Raises MessagingTimeout `timeout` seconds after the call, or `monitor_timeout` seconds after the last
    sign of life.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = None if end is None else end - time.monotonic()
        patience = min((limit for limit in (left, monitor_timeout) if limit is not None), default=None)
        try:
            kind, payload = replies.get(timeout=None if patience is None else max(patience, 0.0))
        except queue.Empty:
            raise messaging.MessagingTimeout(
                f"Timed out waiting for a reply of {method} on topic {target.topic}, server {target.server}"
            ) from None
        if kind == "failure":
            raise common.deserialize_remote_exception(payload, ALLOWED_REMOTE_EXMODS)
        if kind == "reply":
            return jsonutils.loads(payload)
