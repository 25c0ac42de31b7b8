"""Taps on everything that agents ask of others: writes the calls down, and lets one of them go wrong."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from oslo_serialization import jsonutils

from computed import errors
from computed.embedded.bus import Address, _Incoming
from computed.objects.base import ComputedObject
from tests.functional.agent import Agent
from tests.functional.cloud import Cloud

Answer = Callable[[], Any]
_AGENTS: Final = ("compute", "compute-alt")
WRITES: Final = (".save", ".create", ".destroy", ".update_or_create")
READS_IN_VAIN: Final = 4
SERVICES: Final = ("network", "images", "volumes", "shares", "accelerators")


@dataclass(frozen=True, order=True)
class Call:
    """The nth call of a method of a remote, since listening began."""

    remote: str
    method: str
    nth: int

    def __str__(self) -> str:
        return f"{self.remote} {self.method} #{self.nth}"


class Remotes:
    """The remotes of the agents of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._deliver = cloud.bus.deliver
        self._order: tuple[Address, str, str] | None = None
        cloud.bus.deliver = self._deliver_noted  # type: ignore[method-assign]
        self._guard = threading.Lock()
        self._inside = threading.local()
        self._is_listening = False
        self._counts: Counter[tuple[str, str]] = Counter()
        self._trouble: tuple[Call, Callable[[Answer], Any]] | None = None
        self._reads_in_vain = 0
        self.calls: list[Call] = []
        self.has_happened = False
        """Whether the planted trouble has come about."""
        ComputedObject.indirection_api = _TappedConductor(self, ComputedObject.indirection_api)
        for agent in cloud.agents.values():
            self._tap(agent)

    def _tap(self, agent: Agent) -> None:
        host = agent.host
        for name in (*SERVICES, "computes", "compute_tasks"):
            object.__setattr__(host, name, _Tapped(self, name, getattr(host, name)))
        placement = copy.copy(host.placement)
        send = placement.send

        def tapped_send(context: Any, method: str, path: str, **more: Any) -> Any:
            what = f"{method} /{path.split('/')[1]}"
            return self.through("placement", what, lambda: send(context, method, path, **more))

        placement.send = tapped_send
        placement.sleep = lambda seconds: None
        object.__setattr__(host, "placement", placement)

    def listen(self, trouble: tuple[Call, Callable[[Answer], Any]] | None = None) -> None:
        """Begin to write down; let the call of `trouble` be answered by its function, which is given what
        would answer it otherwise."""
        with self._guard:
            self._counts.clear()
            self.calls = []
            self._order = None
            self._trouble = trouble
            self._reads_in_vain = 0
            self.has_happened = False
            self._is_listening = True

    def conductor_leaves(self, answer: Answer) -> Any:
        """A trouble: the conductor is away from this call on, the beginning of an action event. It comes back
        when something else has been asked of it in vain: to write one thing, or to read a few."""
        self._reads_in_vain = READS_IN_VAIN
        raise errors.ConductorUnavailable("the conductor is away, as ordered")

    def _ask_conductor(self, method: str, answer: Answer) -> Any:
        with self._guard:
            is_away = self._reads_in_vain > 0
            if method.endswith(WRITES):
                self._reads_in_vain = 0
            elif not method.startswith("InstanceActionEvent."):
                self._reads_in_vain -= is_away
        if not is_away:
            return answer()
        raise errors.ConductorUnavailable("the conductor is still away, as ordered")

    def stop(self) -> None:
        """Write nothing more down."""
        with self._guard:
            self._is_listening = False

    def _deliver_noted(self, address: Address, message: _Incoming, *, keep: bool = True) -> None:
        """The first cast to an agent is the order of whoever wants the verb."""
        is_cast = address[0] in _AGENTS and message._replies is None
        if is_cast and self._is_listening and self._order is None:
            self._order = (address, jsonutils.dumps(message.ctxt), jsonutils.dumps(message.message))
        self._deliver(address, message, keep=keep)

    def send_order_again(self) -> None:
        """Send the order of the last verb once more, as it was."""
        assert self._order is not None, "nothing was cast to an agent"
        address, context, message = self._order
        self._deliver(address, _Incoming(address, context, message, None))

    def through(self, remote: str, method: str, answer: Answer) -> Any:
        """One call of an agent. What a remote asks of itself meanwhile is not the agent's."""
        is_own = threading.current_thread() is threading.main_thread()
        if not self._is_listening or is_own or getattr(self._inside, "depth", 0):
            return answer()
        with self._guard:
            self._counts[remote, method] += 1
            call = Call(remote, method, self._counts[remote, method])
            self.calls.append(call)
            is_due = self._trouble is not None and self._trouble[0] == call
            self.has_happened = self.has_happened or is_due
        self._inside.depth = 1
        try:
            if is_due:
                assert self._trouble is not None
                return self._trouble[1](answer)
            return self._ask_conductor(method, answer) if remote == "conductor" else answer()
        finally:
            self._inside.depth = 0


class _Tapped:
    """A client with every public method tapped."""

    def __init__(self, remotes: Remotes, name: str, client: Any) -> None:
        self._remotes = remotes
        self._name = name
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name.startswith("_") or not callable(found):
            return found

        def tapped(*arguments: Any, **more: Any) -> Any:
            return self._remotes.through(self._name, name, lambda: found(*arguments, **more))

        return tapped


class _TappedConductor:
    """The way of objects to the conductor, by object and method."""

    def __init__(self, remotes: Remotes, api: Any) -> None:
        self._remotes = remotes
        self._api = api

    def object_action(self, context: Any, objinst: Any, objmethod: str, args: Any, kwargs: Any) -> Any:
        return self._remotes.through(
            "conductor",
            f"{objinst.obj_name()}.{objmethod}",
            lambda: self._api.object_action(context, objinst, objmethod, args, kwargs),
        )

    def object_class_action_versions(self, context: Any, objname: str, objmethod: str, *more: Any) -> Any:
        return self._remotes.through(
            "conductor",
            f"{objname}.{objmethod}",
            lambda: self._api.object_class_action_versions(context, objname, objmethod, *more),
        )

    def object_backport_versions(self, context: Any, objinst: Any, object_versions: Any) -> Any:
        return self._api.object_backport_versions(context, objinst, object_versions)
