"""What a verb is to the table of failures: how a server gets to where it begins, and how it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import oslo_messaging

from computed import errors
from tests.functional.failures.stage import Stage

ANSWERS: Final = (errors.NovaException, oslo_messaging.RemoteError)
"""What a call of the control plane may be answered with."""
Step = Callable[[Stage, str], Any]


@dataclass(frozen=True)
class Verb:
    """One verb: `act` sends it, `before` brings a running server to where it may begin (None: `act` orders
    one itself and returns its id), `ends` are the vm_states that it may leave besides error."""

    name: str
    act: Step
    ends: frozenset[str]
    before: tuple[Step, ...] | None = field(default=())


def cast(method: str, task_state: str | None, **arguments: Any) -> Step:
    """The step that casts a method."""
    return lambda stage, uuid: stage.send(uuid, method, task_state, **arguments)


def states(*names: str) -> frozenset[str]:
    """vm_states that a verb may leave."""
    return frozenset(names)


STOP: Final = cast("stop_instance", "powering-off", clean_shutdown=True)
