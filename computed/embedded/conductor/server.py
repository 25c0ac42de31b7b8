"""The RPC server of the embedded conductor."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import oslo_messaging as messaging

from computed.context import RequestContext


class EnvelopeSerializer(messaging.NoOpSerializer):  # type: ignore[misc,unused-ignore]
    """Contexts become RequestContext; objects stay the envelopes they are."""

    def serialize_context(self, context: Any) -> dict[str, Any]:
        """The context as it goes on the wire."""
        values: dict[str, Any] = context.to_dict()
        return values

    def deserialize_context(self, context: Mapping[str, Any]) -> RequestContext:
        """The context of a message."""
        return RequestContext.from_dict(context)


class PingEndpoint:
    """Namespace `baseapi`: how an agent that starts finds out that there is a conductor."""

    target = messaging.Target(namespace="baseapi", version="1.1")

    def ping(self, context: RequestContext, arg: Any) -> dict[str, Any]:
        """Give back what came."""
        return {"service": "conductor", "arg": arg}


class ConductorServer:
    """Serves the topic `conductor`."""

    def __init__(
        self, transport: Any, host: str, endpoints: Sequence[Any], *, executor: str = "threading"
    ) -> None:
        with warnings.catch_warnings():
            # oslo.messaging announces that naming the executor goes away; this release still needs it.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._server = messaging.get_rpc_server(
                transport,
                messaging.Target(topic="conductor", server=host),
                list(endpoints),
                executor=executor,
                serializer=EnvelopeSerializer(),
                access_policy=messaging.DefaultRPCAccessPolicy,
            )

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """Take no more calls and finish those under way."""
        self._server.stop()
        self._server.wait()
