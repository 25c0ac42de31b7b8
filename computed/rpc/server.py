"""The two topics of a compute on the bus: started together, stopped one after the other."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any, Final

import oslo_messaging
from oslo_messaging.rpc import server as oslo_server

from computed.rpc.dispatch import Dispatcher
from computed.rpc.endpoints import ALTERNATE_TOPIC, COMPUTE_TOPIC, Endpoint
from computed.rpc.inflight import InFlight
from computed.rpc.wire import shorten

LOG = logging.getLogger(__name__)

THREADING: Final = "threading"


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

    def _on_incoming(self, incoming: Any) -> None:
        name = _method_of(incoming)
        self._inflight.begin(name)
        try:
            super()._on_incoming(incoming)
        except BaseException:
            self._inflight.end(name)
            raise

    def _process_incoming(self, incoming: Any) -> None:
        try:
            super()._process_incoming(incoming)
        finally:
            self._inflight.end(_method_of(incoming))


def _method_of(incoming: Any) -> str:
    message = incoming[0].message
    return shorten(message.get("method")) if isinstance(message, dict) else "?"


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

    def stop_primary(self) -> None:
        """Take no new verbs; those received run on."""
        self._primary.stop()

    def stop_alternate(self) -> None:
        """Take no messages at all any more."""
        self._alternate.stop()

    def close(self) -> None:
        """Let go of the connections. Waits for what is still in flight, so wait for that (bounded) first."""
        self._primary.wait()
        self._alternate.wait()
