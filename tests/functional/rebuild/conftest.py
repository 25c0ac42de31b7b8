"""What tests of rebuild and evacuate start with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.functional.cloud import Cloud
from tests.functional.rebuild.role import RebuildRole


class Notices:
    """In place of the notification bus: (server, event, vm_state, task_state), in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, str | None]] = []
        self.details: list[dict[str, Any]] = []

    def instance(
        self, context: Any, instance: Any, action: str, phase: str | None = None, **details: Any
    ) -> None:
        name = f"{action}.{phase}" if phase else action
        self.told.append((instance.uuid, name, instance.vm_state, instance.task_state))
        self.details.append(details)

    def exists(self, context: Any, instance: Any, **details: Any) -> None:
        self.instance(context, instance, "exists", **details)

    def exception(self, context: Any, error: Any, name: str, arguments: Any) -> None:
        self.told.append(("", f"exception {name}", type(error).__name__, None))
        self.details.append({})

    def names(self) -> list[str]:
        return [row[1] for row in self.told]


@pytest.fixture
def role(cloud: Cloud) -> RebuildRole:
    """The control plane of a cloud of one host."""
    return RebuildRole(cloud)


@pytest.fixture
def moves(pair: Cloud) -> RebuildRole:
    """The control plane of a cloud of two hosts."""
    return RebuildRole(pair)


@pytest.fixture
def listen() -> Callable[[Any], Notices]:
    """Writes down what an agent's host notifies from now on."""

    def put_in(host: Any) -> Notices:
        notices = Notices()
        object.__setattr__(host, "notifier", notices)
        return notices

    return put_in
