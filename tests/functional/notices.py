"""What an agent has notified, as somebody on the bus hears it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from computed.embedded.bus import MemoryBus

TOLD: dict[str, Any] = {
    "oslo_messaging_notifications.driver": ["messagingv2"],
    "notifications.notification_format": "both",
}
"""Options of an agent that notifies."""


@dataclass(frozen=True)
class Notice:
    """One notification: `payload` is the data of a versioned payload, or the legacy dictionary."""

    event_type: str
    publisher: str
    payload: dict[str, Any]


class Notices:
    """Listens on a cloud's bus and keeps everything, in order."""

    def __init__(self, bus: MemoryBus, topic: str = "versioned_notifications") -> None:
        self.addresses = [(f"{topic}.{priority}", None) for priority in ("info", "error")]
        self.inbox = self
        self.is_dead = False
        self._lock = threading.Lock()
        self._heard: list[Notice] = []
        bus.attach(self)  # type: ignore[arg-type]

    def put(self, message: Any) -> None:
        """What the bus does with a message for a listener."""
        told = message.message
        payload = told["payload"]
        payload = payload.get("nova_object.data", payload)
        with self._lock:
            self._heard.append(Notice(told["event_type"], told["publisher_id"], payload))

    def empty(self) -> bool:
        """Nothing waits here: all is heard at once."""
        return True

    def clear(self) -> None:
        """Forget what was heard."""
        with self._lock:
            self._heard.clear()

    def all(self) -> list[Notice]:
        """Everything heard since the last `clear`, oldest first."""
        with self._lock:
            return list(self._heard)

    def names(self, uuid: str | None = None) -> list[str]:
        """The event types, in order; with `uuid` those of one instance."""
        return [
            notice.event_type
            for notice in self.all()
            if uuid is None or uuid in (notice.payload.get("uuid"), notice.payload.get("instance_id"))
        ]
