"""What the dispatcher asks of an endpoint, and the base namespace that every service answers."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Protocol

import oslo_messaging

from computed.rpc.call import Argument, bind, parse_arguments

COMPUTE_TOPIC: Final = "compute"
ALTERNATE_TOPIC: Final = "compute-alt"
COMPUTE_TARGET: Final = oslo_messaging.Target(version="6.5")
LEGACY_TARGET: Final = oslo_messaging.Target(version="5.13")
BASE_TARGET: Final = oslo_messaging.Target(namespace="baseapi", version="1.1")


class Method(Protocol):
    """One method of an endpoint, ready to take messages."""

    @property
    def expected_errors(self) -> tuple[type[Exception], ...]:
        """Errors that are an answer: they travel to the caller and stay out of the log."""

    def prepare(self, context: Any, arguments: Mapping[str, Any]) -> Callable[[], Any]:
        """The work that the message asks for. Raises when the message cannot be obeyed; nothing has
        been touched by then."""


class Endpoint(ABC):
    """Some methods under one namespace and version."""

    target: ClassVar[oslo_messaging.Target]

    @abstractmethod
    def method(self, name: str) -> Method | None:
        """The method called `name`, or None when there is none such."""


class _BaseMethod:
    expected_errors: tuple[type[Exception], ...] = ()

    def __init__(self, name: str, arguments: tuple[Argument, ...], answer: Callable[..., Any]) -> None:
        self._name = name
        self._arguments = arguments
        self._answer = answer

    def prepare(self, context: Any, arguments: Mapping[str, Any]) -> Callable[[], Any]:
        given = bind(self._name, self._arguments, arguments)
        return lambda: self._answer(**given)


class BaseEndpoint(Endpoint):
    """Namespace `baseapi` (contract: compute_rpc.json, base_api)."""

    target = BASE_TARGET

    def __init__(self) -> None:
        self._methods = {
            "ping": _BaseMethod("ping", parse_arguments("arg"), self._ping),
            "get_backdoor_port": _BaseMethod("get_backdoor_port", (), self._get_backdoor_port),
        }

    def method(self, name: str) -> Method | None:
        return self._methods.get(name)

    def _ping(self, arg: Any) -> dict[str, Any]:
        # The answer is plain data whatever was sent, like everything in this namespace.
        return {"service": COMPUTE_TOPIC, "arg": json.loads(json.dumps(arg, default=str))}

    def _get_backdoor_port(self) -> None:
        """None: this agent has no backdoor."""
