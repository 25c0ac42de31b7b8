"""The conductor as the store of objects: every remotable method of an object goes through here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import oslo_messaging
from oslo_versionedobjects import base as ovo

from computed import errors
from computed.clients.messaging import bus_errors, repeat_read, rpc_client

LOG = logging.getLogger(__name__)

CONDUCTOR_TOPIC: Final = "conductor"
# Contract: conductor_rpc.json, conductor.version_aliases.
_RELEASES: Final[Mapping[str, str]] = {
    "grizzly": "1.48",
    "havana": "1.58",
    "icehouse": "2.0",
    "juno": "2.0",
    "kilo": "2.1",
    "liberty": "3.0",
    "mitaka": "3.0",
    "newton": "3.0",
    "ocata": "3.0",
}
# Contract: conductor_rpc.json, conductor_ping_at_start.
_PING: Final = "1.21 GigaWatts"
_EARLY_ATTEMPTS: Final = 10
_EARLY_TIMEOUT_SECONDS: Final = 10

Primitive = dict[str, Any]


class ConductorIndirection(ovo.VersionedObjectIndirectionAPI):  # type: ignore[misc]
    """Runs remotable methods in a conductor (contract: conductor_rpc.json, conductor).

    Raises ConductorTimeout when no answer came (what was asked may or may not have happened) and
    ConductorUnavailable when the question could not be sent. Only what changes nothing is asked again.
    """

    def __init__(self, transport: Any, serializer: Any, version_cap: str | None = None) -> None:
        target = oslo_messaging.Target(topic=CONDUCTOR_TOPIC, version="3.0")
        cap = _RELEASES.get(version_cap or "", version_cap)
        self._client = rpc_client(transport, target, serializer, cap)

    def object_action(
        self, context: Any, objinst: Any, objmethod: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], Any]:
        """The updates to the object's fields, all of them usable, and what the method returned."""
        answer = self._ask(
            context,
            f"{objinst.obj_name()}.{objmethod}",
            objmethod,
            "object_action",
            {"objinst": objinst, "objmethod": objmethod, "args": args, "kwargs": kwargs},
        )
        return _checked(objinst, objmethod, answer)

    def object_class_action_versions(
        self,
        context: Any,
        objname: str,
        objmethod: str,
        object_versions: Mapping[str, str],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """What the class method returned."""
        return self._ask(
            context,
            f"{objname}.{objmethod}",
            objmethod,
            "object_class_action_versions",
            {
                "objname": objname,
                "objmethod": objmethod,
                "object_versions": object_versions,
                "args": args,
                "kwargs": kwargs,
            },
        )

    def object_backport_versions(
        self, context: Any, objinst: Primitive, object_versions: Mapping[str, str]
    ) -> Any:
        """`objinst`, an envelope too new for us, as an object of the versions that we know."""
        arguments = {"objinst": objinst, "object_versions": object_versions}
        return self._ask(context, "object_backport_versions", "get", "object_backport_versions", arguments)

    def _ask(
        self, context: Any, what: str, objmethod: str, rpc_method: str, arguments: dict[str, Any]
    ) -> Any:
        def once() -> Any:
            with bus_errors(what):
                return self._client.call(context, rpc_method, **arguments)

        return repeat_read(what, once) if _changes_nothing(objmethod) else once()


def _changes_nothing(objmethod: str) -> bool:
    """Whether the conductor may run the method twice without anybody noticing."""
    return objmethod.startswith(("get", "_get")) or objmethod == "refresh"


def _checked(objinst: Any, objmethod: str, answer: Any) -> tuple[dict[str, Any], Any]:
    """`answer` as (updates, result).

    The caller copies the updates into the object field by field; a value that does not fit its field is
    found here, before the first one, so that the object is never half of one state and half of another.
    """
    what = f"{objinst.obj_name()}.{objmethod}"
    if not isinstance(answer, (list, tuple)) or len(answer) != 2 or not isinstance(answer[0], dict):
        raise errors.InternalError(err=f"the conductor's answer to {what} has an unknown shape")
    updates, result = answer
    for name, value in updates.items():
        if name not in objinst.fields:
            continue
        try:
            field = objinst.fields[name]
            plain = (
                value
                if isinstance(value, ovo.VersionedObject)
                else field.from_primitive(objinst, name, value)
            )
            field.coerce(objinst, name, plain)
        except Exception as error:
            raise errors.InternalError(err=f"the conductor's answer to {what} has a bad {name}") from error
    return updates, result


def wait_for_conductor(
    transport: Any, serializer: Any, context: Any, *, is_wanted: Callable[[], bool] = lambda: True
) -> bool:
    """Return True as soon as a conductor answers; False when `is_wanted` says to give up.

    Asks for ever: an agent started before its control plane joins it when that comes.
    """
    target = oslo_messaging.Target(topic=CONDUCTOR_TOPIC, namespace="baseapi", version="1.0")
    client = rpc_client(transport, target, serializer)
    started, attempt = time.monotonic(), 0
    while is_wanted():
        attempt += 1
        timeout = _EARLY_TIMEOUT_SECONDS if attempt <= _EARLY_ATTEMPTS else None
        try:
            client.prepare(timeout=timeout).call(context, "ping", arg=_PING)
        except (oslo_messaging.MessagingTimeout, oslo_messaging.MessageDeliveryFailure):
            LOG.warning(
                "No nova-conductor answers on this message bus yet (attempt %d); waiting for one before "
                "this compute starts. Is nova-conductor running, and transport_url the same for both?",
                attempt,
            )
            continue
        LOG.info("A conductor answered after %.1f s", time.monotonic() - started)
        return True
    return False
