"""From a received message to the work it asks for: resolve, read, refuse or run, and log a failure once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import oslo_messaging
from oslo_messaging.rpc import dispatcher as oslo_dispatcher

from computed.rpc.endpoints import Endpoint, Method
from computed.rpc.wire import for_the_wire, shorten

LOG = logging.getLogger(__name__)


class Dispatcher(oslo_dispatcher.RPCDispatcher):  # type: ignore[misc]
    """oslo.messaging's dispatcher with our rules for what may be called and who logs what.

    Every error leaves as ExpectedException: oslo.messaging then sends the original to the caller and
    keeps silent, because it has been logged here, once, with the request id of the message.
    """

    def __init__(self, endpoints: Sequence[Endpoint], serializer: Any, host: str) -> None:
        super().__init__(list(endpoints), serializer, oslo_dispatcher.DefaultRPCAccessPolicy)
        self._host = host

    def dispatch(self, incoming: Any) -> Any:
        """Do what the message says and return the reply as plain data."""
        name = shorten(incoming.message.get("method"))
        with _call_monitor(self, incoming), _request_context(self.serializer, incoming) as context:
            try:
                method, work = self._prepare(context, incoming.message)
            except Exception as error:
                LOG.warning("RPC %s refused: %s: %s", name, type(error).__name__, shorten(error))
                raise oslo_dispatcher.ExpectedException() from error
            return self._run(context, name, method, work)

    def _prepare(self, context: Any, message: dict[str, Any]) -> tuple[Method, Callable[[], Any]]:
        if isinstance(context, Exception):
            raise context
        method = self._resolve(message)
        sent = message.get("args") or {}
        if not isinstance(sent, dict):
            raise TypeError("the arguments of a message must be a mapping")
        arguments = {k: self.serializer.deserialize_entity(context, v) for k, v in sent.items()}
        return method, method.prepare(context, arguments)

    def _run(self, context: Any, name: str, method: Method, work: Callable[[], Any]) -> Any:
        try:
            return self.serializer.serialize_entity(context, work())
        except method.expected_errors as error:
            LOG.debug("RPC %s answers with %s", name, type(error).__name__)
            raise oslo_dispatcher.ExpectedException() from error
        except NotImplementedError as error:
            LOG.warning("RPC %s: %s", name, error or "not implemented")
            raise oslo_dispatcher.ExpectedException() from error
        except Exception as error:
            LOG.exception("RPC %s failed", name)
            try:
                raise for_the_wire(error, self._host).with_traceback(error.__traceback__)
            except Exception:
                raise oslo_dispatcher.ExpectedException()

    def _resolve(self, message: dict[str, Any]) -> Method:
        """Raises UnsupportedVersion or NoSuchMethod, as compute_rpc.json, dispatcher, says."""
        name, version = message.get("method"), message.get("version") or "1.0"
        is_version_known = False
        for endpoint in self.endpoints:
            if not self._serves(endpoint, message.get("namespace"), version):
                continue
            is_version_known = True
            method = self._method(endpoint, name)
            if method is not None:
                return method
        if is_version_known:
            raise oslo_messaging.NoSuchMethod(shorten(name))
        raise oslo_messaging.UnsupportedVersion(shorten(version), method=shorten(name))

    def _serves(self, endpoint: Any, namespace: Any, version: Any) -> bool:
        target = getattr(endpoint, "target", None) or self._default_target
        try:
            return bool(self._is_namespace(target, namespace) and self._is_compatible(target, version))
        except (ValueError, AttributeError, TypeError):
            return False  # not a version at all

    def _method(self, endpoint: Any, name: Any) -> Method | None:
        if not isinstance(name, str) or not self.access_policy.is_allowed(endpoint, name):
            return None
        if isinstance(endpoint, Endpoint):
            return endpoint.method(name)
        # oslo.messaging's own endpoint, there when the option rpc_ping_enabled is set
        function = getattr(endpoint, name, None)
        return _Plain(function) if callable(function) else None


class _Plain:
    """A method that is simply a function of context and arguments."""

    expected_errors: tuple[type[Exception], ...] = ()

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def prepare(self, context: Any, arguments: Any) -> Callable[[], Any]:
        return lambda: self._function(context, **arguments)


@contextmanager
def _request_context(serializer: Any, incoming: Any) -> Iterator[Any]:
    """The context of the message, which the log then names, or the error in place of one.

    It must not outlive the message: the thread serves another one next.
    """
    try:
        context = serializer.deserialize_context(incoming.ctxt)
    except Exception as error:
        context = error
    try:
        yield context
    finally:
        _forget_context()


def _forget_context() -> None:
    from oslo_context import context as oslo_context

    if hasattr(oslo_context._request_store, "context"):
        del oslo_context._request_store.context


@contextmanager
def _call_monitor(dispatcher: Any, incoming: Any) -> Iterator[None]:
    """Send the caller a sign of life every half of the time that it is willing to wait for one."""
    if not incoming.client_timeout:
        yield
        return
    done = threading.Event()
    beat = threading.Thread(target=dispatcher._watchdog, args=(done, incoming), daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()
        beat.join()
