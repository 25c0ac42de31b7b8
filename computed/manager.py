"""ComputeManager: the endpoint of version 6; looks a call up and runs its operation inside the guards."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from computed.rpc.arguments import check_arguments
from computed.rpc.call import Call
from computed.rpc.calls import CALLS, OWN_CALLS
from computed.rpc.endpoints import COMPUTE_TARGET, Endpoint
from computed.rpc.guards import run_guarded
from computed.rpc.inflight import InFlight
from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


class ComputeManager(Endpoint):
    """Everything the outside may ask of this compute, by the names of the table."""

    target = COMPUTE_TARGET

    def __init__(
        self,
        host: ComputeHost,
        inflight: InFlight,
        calls: Mapping[str, Call] = CALLS,
        background_workers: int = 64,
    ) -> None:
        self._host = host
        self._calls = calls
        self.inflight = inflight
        self._background = ThreadPoolExecutor(background_workers, thread_name_prefix="background")

    def method(self, name: str) -> BoundCall | None:
        """The method called `name` with its guards, or None."""
        call = self._calls.get(name)
        return BoundCall(self, call) if call else None

    def call(self, name: str, context: Any, **arguments: Any) -> Any:
        """Do in this thread what an RPC of that name and with those arguments does.

        `name` may also be one of those that nobody outside may call.
        """
        call = OWN_CALLS.get(name) or self._calls[name]
        bound = call.bind(arguments)
        check_arguments(call, bound, self._host.name)
        with self.inflight.track(name):
            return run_guarded(self._host, context, call, bound)

    def close(self) -> None:
        """Take no more background work; what runs goes on, what only waits for a thread is dropped."""
        self._background.shutdown(wait=False, cancel_futures=True)

    def prepare(self, call: Call, context: Any, arguments: Mapping[str, Any]) -> Callable[[], Any]:
        """The work that `arguments` ask for; see Method.prepare."""
        bound = call.bind(arguments)
        check_arguments(call, bound, self._host.name)
        if call.background:
            return lambda: self._start_in_background(call, context, bound)
        return lambda: run_guarded(self._host, context, call, bound)

    def _start_in_background(self, call: Call, context: Any, arguments: Mapping[str, Any]) -> None:
        uuid = _instance_of(arguments)
        self.inflight.begin(call.name, uuid)
        try:
            self._background.submit(self._run_in_background, call, context, arguments)
        except BaseException:
            self.inflight.end(call.name, uuid)
            raise

    def _run_in_background(self, call: Call, context: Any, arguments: Mapping[str, Any]) -> None:
        # Nobody waits for the outcome, so what the dispatcher would log is logged here.
        context.update_store()
        try:
            run_guarded(self._host, context, call, arguments)
        except call.expected_errors as error:
            LOG.debug("RPC %s ends with %s", call.name, type(error).__name__)
        except Exception:
            LOG.exception("RPC %s failed", call.name)
        finally:
            self.inflight.end(call.name, _instance_of(arguments))


def _instance_of(arguments: Mapping[str, Any]) -> str | None:
    return getattr(arguments.get("instance"), "uuid", None)


@dataclass(frozen=True, slots=True)
class BoundCall:
    """One row of the table, made callable on one host; see rpc.endpoints.Method."""

    manager: ComputeManager
    call: Call

    @property
    def expected_errors(self) -> tuple[type[Exception], ...]:
        return self.call.expected_errors

    def prepare(self, context: Any, arguments: Mapping[str, Any]) -> Callable[[], Any]:
        return self.manager.prepare(self.call, context, arguments)
