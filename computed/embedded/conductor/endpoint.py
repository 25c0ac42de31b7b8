"""The RPC endpoint of the embedded conductor: object calls looked up in the table and run on the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import oslo_messaging as messaging
from oslo_versionedobjects import exception as ovo_errors

from computed import errors
from computed.embedded.conductor.calls import ClassCall, ObjectCall
from computed.embedded.conductor.primitives import (
    NAME,
    VERSION,
    Envelope,
    is_envelope,
    object_class,
)
from computed.embedded.conductor.remotables import CLASS_METHODS, OBJECT_METHODS
from computed.embedded.store import Store

Handler = Callable[..., Any]
Interceptor = Callable[[str, str, Callable[[], Any]], Any]
"""Stands round every object call: (object name, method, how to go on) → the reply."""


class ConductorEndpoint:
    """The three object methods of a conductor (version 3.0, no namespace).

    Objects arrive and leave as envelopes: they are never built here, so nothing of the agent that runs in
    the same process is used on the way. Every failure is an expected one: it travels, and is not logged.
    """

    target = messaging.Target(version="3.0")

    def __init__(self, store: Store, intercept: Interceptor | None = None) -> None:
        self._store = store
        self.intercept = intercept

    @messaging.expected_exceptions(Exception)  # type: ignore[untyped-decorator,unused-ignore]
    def object_class_action_versions(
        self,
        context: Any,
        objname: str,
        objmethod: str,
        object_versions: Mapping[str, str],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Run a class method and give its result in the versions that the caller wants."""
        _require_known(objname, object_versions.get(objname, "0.0"))
        handler = _lookup(CLASS_METHODS, objname, objmethod)

        def proceed() -> Any:
            with self._store.transaction() as records:
                result = handler(ClassCall(context, records), *args, **kwargs)
            return in_versions(result, object_versions) if is_envelope(result) else result

        return self._run(objname, objmethod, proceed)

    @messaging.expected_exceptions(Exception)  # type: ignore[untyped-decorator,unused-ignore]
    def object_action(
        self,
        context: Any,
        objinst: Envelope,
        objmethod: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> list[Any]:
        """Run a method on an object; returns what has changed about the object, and the method's result."""
        objname = objinst[NAME]
        _require_known(objname, objinst[VERSION])
        handler = _lookup(OBJECT_METHODS, objname, objmethod)

        def proceed() -> list[Any]:
            with self._store.transaction() as records:
                call = ObjectCall.of(context, records, objinst)
                result = handler(call, *args, **kwargs)
            updates = {name: _as_sent(value, objinst, name) for name, value in call.updates.items()}
            return [{**updates, "obj_what_changed": []}, result]

        reply: list[Any] = self._run(objname, objmethod, proceed)
        return reply

    @messaging.expected_exceptions(Exception)  # type: ignore[untyped-decorator,unused-ignore]
    def object_backport_versions(
        self, context: Any, objinst: Envelope, object_versions: Mapping[str, str]
    ) -> Envelope:
        """The object in the versions that the caller knows; raises IncompatibleObjectVersion."""
        _require_known(objinst[NAME], objinst[VERSION])
        return in_versions(objinst, object_versions, always=True)

    def _run(self, objname: str, objmethod: str, proceed: Callable[[], Any]) -> Any:
        if self.intercept is None:
            return proceed()
        return self.intercept(objname, objmethod, proceed)


def _lookup(table: Mapping[tuple[str, str], Handler], name: str, method: str) -> Handler:
    handler = table.get((name, method))
    if handler is None:
        raise errors.ObjectActionError(
            action=f"{name}.{method}", reason="the embedded conductor does not know this remotable"
        )
    return handler


def _require_known(objname: str, version: str) -> None:
    """Raise what a conductor raises for an object that it does not know, or knows only older."""
    cls = object_class(objname)
    if cls is None:
        raise ovo_errors.UnsupportedObjectError(objtype=objname)
    ours, theirs = _numbers(cls.VERSION), _numbers(version)
    if theirs[0] != ours[0] or theirs[:2] > ours[:2]:
        raise ovo_errors.IncompatibleObjectVersion(objname=objname, objver=version, supported=cls.VERSION)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def in_versions(value: Envelope, manifest: Mapping[str, str], *, always: bool = False) -> Envelope:
    """`value` as a caller who knows the versions of `manifest` can read it; as it is when they are ours."""
    name = value[NAME]
    wanted = manifest.get(name, value[VERSION])
    if not always and _numbers(wanted) >= _numbers(value[VERSION]):
        return value
    cls = object_class(name)
    if cls is None:
        raise ovo_errors.UnsupportedObjectError(objtype=name)
    result: Envelope = cls.obj_from_primitive(value).obj_to_primitive(
        target_version=wanted, version_manifest=dict(manifest)
    )
    return result


def _as_sent(value: Any, objinst: Envelope, field: str) -> Any:
    """A nested object in the version in which the caller sent it."""
    sent = objinst.get("nova_object.data", {}).get(field)
    if is_envelope(value) and is_envelope(sent) and sent[NAME] == value[NAME]:
        return in_versions(value, {sent[NAME]: sent[VERSION]})
    return value
