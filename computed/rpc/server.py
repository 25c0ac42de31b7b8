"""The two topics of a compute on the bus: started together, stopped one after the other."""

from __future__ import annotations

import logging
import threading
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import oslo_messaging
from oslo_messaging.rpc import server as oslo_server

from computed.rpc.dispatch import Dispatcher
from computed.rpc.endpoints import ALTERNATE_TOPIC, COMPUTE_TOPIC, Endpoint
from computed.rpc.inflight import InFlight
from computed.rpc.wire import instance_of, method_of, ping_of

LOG = logging.getLogger(__name__)

THREADING: Final = "threading"
_NUDGE_DELAY_SECONDS: Final = 0.05
# With the broker gone, oslo.messaging waits for its return before it lets a server stop.
_STOP_SECONDS: Final = 8.0
_MARK_SECONDS: Final = 30.0


class _Server(oslo_server.RPCServer):  # type: ignore[misc]
    """An RPC server that counts a message from its receipt on: the broker has been told by then."""

    def __init__(
        self, transport: Any, target: Any, dispatcher: Any, executor: str, inflight: InFlight
    ) -> None:
        with warnings.catch_warnings():
            # oslo.messaging announces, in this and the next release, that naming the executor goes away.
            warnings.simplefilter("ignore", DeprecationWarning)
            super().__init__(transport, target, dispatcher, executor)
        self._inflight = inflight
        self._marks: dict[str, threading.Event] = {}

    @contextmanager
    def expecting(self, mark: str) -> Iterator[threading.Event]:
        """What is set when the ping `mark` has been received; messages that came before it are in flight, or
        finished, by then."""
        self._marks[mark] = threading.Event()
        try:
            yield self._marks[mark]
        finally:
            del self._marks[mark]

    def _on_incoming(self, incoming: Any) -> None:
        # One thread receives all messages of a server, one after the other.
        message = incoming[0].message
        order = method_of(message), instance_of(message)
        self._inflight.begin(*order)
        try:
            super()._on_incoming(incoming)
        except BaseException:
            self._inflight.end(*order)
            raise
        mark = self._marks.get(ping_of(message) or "")
        if mark is not None:
            mark.set()

    def _process_incoming(self, incoming: Any) -> None:
        # Read before others work with it.
        message = incoming[0].message
        order = method_of(message), instance_of(message)
        try:
            super()._process_incoming(incoming)
        finally:
            self._inflight.end(*order)


class RpcServers:
    """Both topics, served by the same endpoints (contract: compute_rpc.json, target).

    The alternate topic carries what verbs in flight still need (external events, the other side's half
    of a migration), so it outlives the primary one at shutdown.
    """

    def __init__(
        self,
        transport: Any,
        host: str,
        endpoints: Sequence[Endpoint],
        serializer: Any,
        inflight: InFlight,
        executor: str = THREADING,
    ) -> None:
        self._transport = transport
        self._host = host
        self._primary, self._alternate = (
            _Server(
                transport,
                oslo_messaging.Target(topic=topic, server=host),
                Dispatcher(endpoints, serializer, host),
                executor,
                inflight,
            )
            for topic in (COMPUTE_TOPIC, ALTERNATE_TOPIC)
        )

    def start(self) -> None:
        """Take messages from both topics."""
        self._primary.start()
        self._alternate.start()
        LOG.info("Serving RPC on the topics %s and %s", COMPUTE_TOPIC, ALTERNATE_TOPIC)

    def has_caught_up(self) -> bool:
        """Whether this process has received every message that was sent to this host by the primary topic
        before; False when that does not show within a time.

        A message that means nothing is sent behind them. Whoever else reads it tells nobody.
        """
        mark = str(uuid.uuid4())
        with self._primary.expecting(mark) as has_come:
            return self._ping(COMPUTE_TOPIC, mark) and has_come.wait(_MARK_SECONDS)

    def stop_primary(self) -> bool:
        """Take no new verbs; those received run on. False if the broker did not let go of us in time."""
        return self._stop(self._primary, COMPUTE_TOPIC)

    def stop_alternate(self) -> bool:
        """Take no messages at all any more. False if the broker did not let go of us in time."""
        return self._stop(self._alternate, ALTERNATE_TOPIC)

    def close(self) -> None:
        """Let go of the connections. Waits for what is still in flight, so wait for that (bounded) first."""
        # Side by side: each has an idle thread that looks up once a second.
        closing = [
            threading.Thread(target=server.wait, name="close", daemon=True)
            for server in (self._primary, self._alternate)
        ]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()

    def _stop(self, server: _Server, topic: str) -> bool:
        """Stop a server without waiting for its listener to look up, which it does once in a second or two:
        a message that means nothing wakes it."""
        nudge = threading.Timer(_NUDGE_DELAY_SECONDS, self._ping, [topic, "wake up"])
        nudge.daemon = True
        nudge.start()
        stopping = threading.Thread(target=server.stop, name=f"stop-{topic}", daemon=True)
        stopping.start()
        stopping.join(_STOP_SECONDS)
        nudge.cancel()
        if stopping.is_alive():
            LOG.warning("The topic %s could not be left within %d s", topic, _STOP_SECONDS)
        return not stopping.is_alive()

    def _ping(self, topic: str, word: str) -> bool:
        """Send this host a message that means nothing; False if the bus does not take it."""
        target = oslo_messaging.Target(topic=topic, server=self._host, namespace="baseapi", version="1.0")
        client = oslo_messaging.get_rpc_client(self._transport, target)
        try:
            client.prepare(retry=0).cast({}, "ping", arg=word)
        except Exception as error:
            # Which one it is depends on where the broker was lost; none of them matters here.
            LOG.debug("The listener of %s was not pinged: %s", topic, error)
            return False
        return True
