"""Records what crosses the broker, with RabbitMQ's own tracer, and counts it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

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


class Wiretap:
    """A context manager; ``messages`` grows while it is open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.messages: list[Message] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Wiretap:
        broker.ctl(self._settings, "trace_on", "-p", "plane")
        self._thread.start()
        assert self._ready.wait(30), "the tracer's queue was not made"
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        broker.ctl(self._settings, "trace_off", "-p", "plane")

    def object_calls(self, chosen: Callable[[Message], bool] = lambda _: True) -> Counter[str]:
        """How often each remotable method was called on the conductor, of the chosen messages."""
        return Counter(m.label for m in list(self.messages) if m.is_object_call and chosen(m))

    def settle(self, quiet_seconds: float = 1.0, seconds: float = 15) -> None:
        """Return when nothing new has come for a while (or after ``seconds``)."""
        end, seen, since = time.monotonic() + seconds, len(self.messages), time.monotonic()
        while time.monotonic() < end and time.monotonic() - since < quiet_seconds:
            time.sleep(0.1)
            if len(self.messages) != seen:
                seen, since = len(self.messages), time.monotonic()

    def _listen(self) -> None:
        with broker.connect(self._settings) as connection:
            channel = connection.channel()
            queue = channel.queue_declare(exclusive=True, auto_delete=True).queue
            channel.queue_bind(queue, "amq.rabbitmq.trace", "publish.#")
            channel.basic_consume(queue, no_ack=True, callback=self._on_message)
            self._ready.set()
            while not self._stop.is_set():
                try:
                    connection.drain_events(timeout=0.2)
                except TimeoutError:
                    pass

    def _on_message(self, message: Any) -> None:
        headers = message.headers or {}
        for request in _requests(message.body):
            self.messages.append(
                Message(
                    at=time.time(),
                    exchange=headers.get("exchange_name", ""),
                    routing_key=(headers.get("routing_keys") or [""])[0],
                    method=request["method"],
                    is_call="_msg_id" in request,
                    args=request.get("args") or {},
                    request_id=request.get("_context_request_id"),
                )
            )


def _requests(body: str | bytes) -> Iterator[dict[str, Any]]:
    """The RPC request in a traced message; nothing for a reply or a notification."""
    try:
        outer = json.loads(body)
        inner = json.loads(outer["oslo.message"]) if "oslo.message" in outer else outer
    except (ValueError, TypeError):
        return
    if isinstance(inner, dict) and "method" in inner:
        yield inner
