"""The base of every word on the wire: namespace, change tracking, remotables and the serializer."""

from __future__ import annotations

import datetime
import functools
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from oslo_versionedobjects import base as ovo
from oslo_versionedobjects import exception as ovo_exc
from oslo_versionedobjects import fields as ovo_fields

from computed.objects import fields

register = ovo.VersionedObjectRegistry.register
obj_tree_versions = ovo.obj_tree_get_versions


def remotable(fn: Callable[..., Any]) -> Any:
    """Declare a method that the conductor carries out.

    The body of `fn` is never run. Its annotations are dropped at run time: the fingerprint of an
    object covers the signatures of its remotables, and the contract's know no annotations.
    """
    fn.__annotations__.clear()
    return ovo.remotable(fn)


def serialize_args(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make text of dates and exceptions among the arguments of a class method; stands above `remotable`."""

    @functools.wraps(method)
    def call(cls: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        return method(
            cls,
            context,
            *(as_text("", arg) for arg in args),
            **{name: as_text(name, arg) for name, arg in kwargs.items()},
        )

    return call


def as_text(name: str, value: Any) -> Any:
    """One argument as the wire wants it (contract objects.json, special_serialisation.serialize_args_*)."""
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")
    if name == "exc_val" and isinstance(value, BaseException):
        format_message = getattr(value, "format_message", None)
        return format_message() if format_message else type(value).__name__
    if name == "exc_tb" and value is not None and not isinstance(value, str):
        return "".join(traceback.format_tb(value))
    return value


class NoConductor(ovo.VersionedObjectIndirectionAPI):
    """Stands in until a conductor is connected: a remotable called without one is a mistake of ours."""

    def _refuse(self, objname: str, objmethod: str) -> Any:
        raise ovo_exc.OrphanedObjectError(objtype=objname, method=objmethod)

    def object_action(
        self, context: Any, objinst: Any, objmethod: str, args: Any, kwargs: Any
    ) -> tuple[dict[str, Any], Any]:
        """Refuse the action on an instance."""
        return self._refuse(objinst.obj_name(), objmethod)  # type: ignore[no-any-return]

    def object_class_action_versions(
        self, context: Any, objname: str, objmethod: str, object_versions: Any, args: Any, kwargs: Any
    ) -> Any:
        """Refuse the action on a class."""
        return self._refuse(objname, objmethod)

    def object_backport_versions(self, context: Any, objinst: Any, object_versions: Any) -> Any:
        """Refuse: an object newer than ours cannot be read without a conductor."""
        raise ovo_exc.IncompatibleObjectVersion(
            objname=objinst["nova_object.name"],
            objver=objinst["nova_object.version"],
            supported=object_versions.get(objinst["nova_object.name"], "none"),
        )


class ComputedObject(ovo.VersionedObject):
    """An object of the wire of a compute (namespace `nova`)."""

    OBJ_SERIAL_NAMESPACE = "nova_object"
    OBJ_PROJECT_NAMESPACE = "nova"
    indirection_api: Any = NoConductor()

    LAZY_DEFAULTS: Mapping[str, Any] = {}
    """Fields that older senders leave out, and what they then mean: a value or how to make one."""

    def obj_load_attr(self, attrname: str) -> None:
        """Fill in the default of a field that was left out; raises NotImplementedError when it has none."""
        if attrname in self.LAZY_DEFAULTS:
            default = self.LAZY_DEFAULTS[attrname]
            setattr(self, attrname, default() if callable(default) else default)
            self.obj_reset_changes([attrname])
        elif attrname in self.fields and self.fields[attrname].default is not ovo_fields.UnspecifiedDefault:
            self.obj_set_defaults(attrname)
            self.obj_reset_changes([attrname])
        else:
            raise NotImplementedError(f"{self.obj_name()}.{attrname} is not set and cannot be loaded")

    def obj_context(self) -> Any:
        """The context the object is attached to; raises OrphanedObjectError when there is none."""
        if self._context is None:
            raise ovo_exc.OrphanedObjectError(objtype=self.obj_name(), method="obj_load_attr")
        return self._context

    def obj_fill(self, other: ComputedObject, names: frozenset[str]) -> None:
        """Take the fields `names` over from `other` without marking them changed."""
        for name in names:
            if other.obj_attr_is_set(name):
                setattr(self, name, getattr(other, name))
        self.obj_reset_changes(list(names), recursive=True)


class Ephemeral(ComputedObject):
    """Objects that live in no database: a field that nobody sets has its default."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.obj_set_defaults()


class DictCompat(ovo.VersionedObjectDictCompat):
    """Reading an object as a dictionary, for those words that are read so."""


class Timestamped:
    """Objects with times of creation and change."""

    fields = {
        "created_at": fields.DateTimeField(nullable=True),
        "updated_at": fields.DateTimeField(nullable=True),
    }


class Persistent(Timestamped):
    """Objects that are rows of the cell's database."""

    fields = {
        **Timestamped.fields,
        "deleted_at": fields.DateTimeField(nullable=True),
        "deleted": fields.BooleanField(default=False),
    }


class ObjectList(ovo.ObjectListBase, ComputedObject):
    """A list of objects that goes on the wire as one."""


class ComputedObjectSerializer(ovo.VersionedObjectSerializer):
    """Objects to primitives and back; newer objects go through the conductor's backport."""

    OBJ_BASE_CLASS = ComputedObject


def manifest_of(objname: str) -> dict[str, str]:
    """Our versions of an object and of everything in it, as class-method calls must carry them."""
    return dict(_manifest(objname))


@functools.cache
def _manifest(objname: str) -> dict[str, str]:
    versions: dict[str, str] = obj_tree_versions(objname)
    return versions
