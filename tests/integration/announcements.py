"""What computes announce on the notification bus, and how one announcement is compared with another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.integration.listening import Listener
from tests.integration.plane.ini import Ini
from tests.integration.plane.settings import Settings

#: what an agent's file must say so that it announces both forms on this bus
SPEAK: Ini = {
    "notifications": {"notification_format": "both"},
    "oslo_messaging_notifications": {"driver": "messagingv2"},
}
_TOPICS = ("notifications", "versioned_notifications")


@dataclass(frozen=True)
class Announcement:
    """One notification as it came from the bus."""

    event: str
    publisher: str
    priority: str
    payload: dict[str, Any]

    def is_about(self, server_id: str) -> bool:
        data = self.payload.get("nova_object.data", self.payload)
        return server_id in (data.get("uuid"), data.get("instance_id"), data.get("instance_uuid"))


class Bus(Listener[Announcement]):
    """``heard`` are the announcements."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, [("nova", f"{topic}.#") for topic in _TOPICS])

    def take(self, server_id: str) -> list[Announcement]:
        """Wait until nothing new comes, then return and forget what was said about a server."""
        self.settle(quiet_seconds=1.5)
        taken, self.heard = self.heard, []
        return [announcement for announcement in taken if announcement.is_about(server_id)]

    def _understand(self, message: Any) -> list[Announcement]:
        outer = json.loads(message.body)
        said = json.loads(outer["oslo.message"]) if "oslo.message" in outer else outer
        return [Announcement(said["event_type"], said["publisher_id"], said["priority"], said["payload"])]


@dataclass(frozen=True)
class Transcript:
    """Who announced what in which order, and of what shape each payload was.

    ``events`` are [event type, publisher with roles for host names, priority, index in ``shapes``].
    """

    events: list[list[Any]]
    shapes: list[Any]

    @classmethod
    def of(cls, heard: list[Announcement], roles: Mapping[str, str]) -> Transcript:
        """``roles`` says for each host what it is in the story: source or dest."""
        events: list[list[Any]] = []
        shapes: list[Any] = []
        for said in heard:
            kind, host = (said.publisher.partition(":" if ":" in said.publisher else "."))[::2]
            separator = said.publisher[len(kind)]
            shape = shape_of(said.payload)
            if shape not in shapes:
                shapes.append(shape)
            publisher = f"{kind}{separator}{roles.get(host, host)}"
            events.append([said.event, publisher, said.priority, shapes.index(shape)])
        return cls(events, shapes)

    @property
    def story(self) -> list[tuple[str, str, str]]:
        """(event type, publisher, priority) in the order of the bus."""
        return [(event, publisher, priority) for event, publisher, priority, _ in self.events]

    def told_by(self, role: str) -> list[tuple[str, Any]]:
        """The (event type, shape of the payload) of all that one host said, in its order."""
        return [
            (event, self.shapes[shape])
            for event, publisher, _, shape in self.events
            if publisher.endswith(role)
        ]

    def dump(self) -> str:
        lines = [json.dumps(event) for event in self.events]
        shapes = [json.dumps(shape) for shape in self.shapes]
        return '{"events": [\n' + ",\n".join(lines) + '\n],\n"shapes": [\n' + ",\n".join(shapes) + "\n]}\n"

    @classmethod
    def load(cls, text: str) -> Transcript:
        return cls(**json.loads(text))


def shape_of(value: Any) -> Any:
    """The keys of a payload, all the way down; versioned ones with name and version, values left out."""
    if isinstance(value, Mapping):
        if "nova_object.data" in value:
            data = value["nova_object.data"]
            return {
                f"{value['nova_object.name']} {value['nova_object.version']}": {
                    key: shape_of(data[key]) for key in sorted(data)
                }
            }
        return sorted(value)
    if isinstance(value, list):
        return [shape_of(value[0])] if value and isinstance(value[0], Mapping) else []
    return None
