"""Methods that the conductor carries out: what they look like here and how they are sent there."""

from __future__ import annotations

import datetime
import functools
import inspect
import traceback
import types
from collections.abc import Callable, Mapping
from typing import Any

from oslo_versionedobjects import base as ovo
from oslo_versionedobjects import exception as ovo_exc

from computed.errors import OrphanedObjectError

WIRE_DATETIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%f"


def remotable(fn: Callable[..., Any]) -> Any:
    """Declare a method that the conductor carries out; on a class it stands below `classmethod`.

    The body of `fn` is never run. Arguments that do not fit raise TypeError before anything is sent; an
    object without a context, or a call without a conductor, raises OrphanedObjectError.
    """
    # A fingerprint covers the signatures of remotables, and the contract's know no annotations.
    fn.__annotations__.clear()
    signature = functools.cache(lambda: inspect.signature(fn))

    @functools.wraps(fn)
    def call(receiver: Any, /, *args: Any, **kwargs: Any) -> Any:
        signature().bind(receiver, *args, **kwargs)
        if isinstance(receiver, type):
            return _on_class(receiver, fn.__name__, *args, **kwargs)
        return _on_object(receiver, fn.__name__, args, kwargs)

    # These two are where oslo looks for remotables and their signatures.
    call.remotable = True  # type: ignore[attr-defined]
    call.original_fn = fn  # type: ignore[attr-defined]
    return call


def _on_class(cls: Any, method: str, /, context: Any, *args: Any, **kwargs: Any) -> Any:
    versions = manifest_of(cls.obj_name())
    return cls.indirection_api.object_class_action_versions(
        context, cls.obj_name(), method, versions, args, kwargs
    )


def _on_object(obj: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if obj._context is None:
        raise OrphanedObjectError(objtype=obj.obj_name(), method=method)
    updates, result = obj.indirection_api.object_action(obj._context, obj, method, args, kwargs)
    obj.obj_take_over(updates, saved=method == "save")
    return result


def serialize_args(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make text of dates and exceptions among the arguments of a class method; stands above `remotable`."""

    @functools.wraps(method)
    def call(cls: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        texts = {name: as_text(value) for name, value in kwargs.items()}
        return method(cls, context, *(as_text(value) for value in args), **texts)

    return call


def as_text(value: Any) -> Any:
    """One argument as the wire wants it (contract objects.json, special_serialisation.serialize_args_*)."""
    if isinstance(value, datetime.datetime):
        return value.strftime(WIRE_DATETIME_FORMAT)
    if isinstance(value, types.TracebackType):
        return "".join(traceback.format_tb(value))
    if isinstance(value, BaseException):
        # Only an error of ours promises a text that its user may see.
        format_message = getattr(value, "format_message", None)
        return format_message() if callable(format_message) else type(value).__name__
    return value


class NoConductor(ovo.VersionedObjectIndirectionAPI):
    """Stands in until a conductor is connected: a remotable called without one is a mistake of ours."""

    def object_action(
        self, context: Any, objinst: Any, objmethod: str, args: Any, kwargs: Any
    ) -> tuple[dict[str, Any], Any]:
        """Refuse the action on an instance."""
        raise OrphanedObjectError(objtype=objinst.obj_name(), method=objmethod)

    def object_class_action_versions(
        self, context: Any, objname: str, objmethod: str, object_versions: Any, args: Any, kwargs: Any
    ) -> Any:
        """Refuse the action on a class."""
        raise OrphanedObjectError(objtype=objname, method=objmethod)

    def object_backport_versions(self, context: Any, objinst: Any, object_versions: Any) -> Any:
        """Refuse: an object newer than ours cannot be read without a conductor."""
        raise ovo_exc.IncompatibleObjectVersion(
            objname=objinst["nova_object.name"],
            objver=objinst["nova_object.version"],
            supported=object_versions.get(objinst["nova_object.name"], "none"),
        )


def manifest_of(objname: str) -> dict[str, str]:
    """Our versions of an object and of everything in it, as class-method calls must carry them."""
    return dict(_manifest(objname))


@functools.cache
def _manifest(objname: str) -> Mapping[str, str]:
    from computed import objects  # whose modules import this one

    objects.register_all()
    versions: Mapping[str, str] = ovo.obj_tree_get_versions(objname)
    return versions
