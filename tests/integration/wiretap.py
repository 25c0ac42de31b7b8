"""Records what crosses the broker, with RabbitMQ's own tracer, and counts it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.integration.listening import Listener
from tests.integration.plane import broker
from tests.integration.plane.settings import Settings

_CONDUCTOR_METHODS = ("object_action", "object_class_action_versions", "object_backport_versions")


@dataclass(frozen=True)
class Message:
    """One RPC request (call or cast) as it was published."""

    at: float
    exchange: str
    routing_key: str
    method: str
    is_call: bool
    args: dict[str, Any] = field(repr=False)
    request_id: str | None

    @property
    def is_object_call(self) -> bool:
        """A compute's call to the conductor; nova's other services reach the database by themselves."""
        return self.method in _CONDUCTOR_METHODS

    @property
    def label(self) -> str:
        """``Instance.save`` for what an object call carries, else the method's name."""
        if self.method == "object_class_action_versions":
            return f"{self.args.get('objname')}.{self.args.get('objmethod')}"
        if self.method == "object_action":
            instance = self.args.get("objinst") or {}
            return f"{instance.get('nova_object.name')}.{self.args.get('objmethod')}"
        return self.method


class Wiretap(Listener[Message]):
    """``heard`` are the requests, as the broker's tracer repeats them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, [("amq.rabbitmq.trace", "publish.#")])

    def __enter__(self) -> Wiretap:
        broker.ctl(self._settings, "trace_on", "-p", "plane")
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__(*_)
        broker.ctl(self._settings, "trace_off", "-p", "plane")

    def object_calls(self, chosen: Callable[[Message], bool] = lambda _: True) -> Counter[str]:
        """How often each remotable method was called on the conductor, of the chosen messages."""
        return Counter(m.label for m in list(self.heard) if m.is_object_call and chosen(m))

    def _understand(self, message: Any) -> list[Message]:
        headers = message.headers or {}
        return [
            Message(
                at=time.time(),
                exchange=headers.get("exchange_name", ""),
                routing_key=(headers.get("routing_keys") or [""])[0],
                method=request["method"],
                is_call="_msg_id" in request,
                args=request.get("args") or {},
                request_id=request.get("_context_request_id"),
            )
            for request in _requests(message.body)
        ]


def _requests(body: str | bytes) -> Iterator[dict[str, Any]]:
    """The RPC request in a traced message; nothing for a reply or a notification."""
    try:
        outer = json.loads(body)
        inner = json.loads(outer["oslo.message"]) if "oslo.message" in outer else outer
    except (ValueError, TypeError):
        return
    if isinstance(inner, dict) and "method" in inner:
        yield inner
