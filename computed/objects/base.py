"""The base of every word on the wire: namespace, change tracking, defaults and the serializer."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar

from oslo_versionedobjects import base as ovo
from oslo_versionedobjects import fields as ovo_fields

from computed.errors import OrphanedObjectError
from computed.objects import fields
from computed.objects.remote import NoConductor

register = ovo.VersionedObjectRegistry.register
field_holder = ovo.VersionedObjectRegistry.objectify
"""For a class that only serves as base of registered ones: gives it its fields, registers nothing."""


class ComputedObject(ovo.VersionedObject):
    """An object of the wire of a compute (namespace `nova`)."""

    OBJ_SERIAL_NAMESPACE = "nova_object"
    OBJ_PROJECT_NAMESPACE = "nova"
    indirection_api: Any = NoConductor()

    LAZY_DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    """Fields that older senders leave out, and what they then mean: a value or how to make one."""

    CHANGED_IN_PLACE: ClassVar[tuple[str, ...]] = ()
    """Dictionaries and lists that may change without an assignment; compared with what they were."""

    SAVED_ALONG: ClassVar[tuple[str, ...]] = ()
    """Nested objects that `save` stores together with this one."""

    def __init__(self, context: Any = None, **values: Any) -> None:
        self._as_loaded: dict[str, Any] = {}
        super().__init__(context, **values)

    @classmethod
    def _obj_from_primitive(cls, context: Any, objver: str, primitive: dict[str, Any]) -> Any:
        read = super()._obj_from_primitive(context, objver, primitive)
        read._remember(cls.CHANGED_IN_PLACE)
        return read

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        clone = super().__deepcopy__(memo)
        clone._as_loaded = {name: copy.copy(value) for name, value in self._as_loaded.items()}
        return clone

    def _remember(self, names: Iterable[str]) -> None:
        for name in names:
            if self.obj_attr_is_set(name):
                value = getattr(self, name)
                self._as_loaded[name] = dict(value) if isinstance(value, dict) else list(value or ())

    def obj_what_changed(self) -> set[str]:
        """Names of fields that were assigned, changed in place, or hold an object that changed."""
        changed: set[str] = super().obj_what_changed()
        for name, before in self._as_loaded.items():
            if self.obj_attr_is_set(name) and (getattr(self, name) or type(before)()) != before:
                changed.add(name)
        return changed

    def obj_reset_changes(self, fields: Collection[str] | None = None, recursive: bool = False) -> None:
        """Forget changes of `fields` (None: all), also those made in place."""
        super().obj_reset_changes(fields, recursive=recursive)
        self._remember(name for name in self.CHANGED_IN_PLACE if not fields or name in fields)

    def obj_take_over(self, updates: Mapping[str, Any], *, saved: bool = False) -> None:
        """Become what an action at the conductor made of the object.

        `updates` is the answer to object_action, `saved` says that the action was a save.
        """
        still_changed = set(updates.get("obj_what_changed", ()))
        for name, value in updates.items():
            if name in self.fields:
                setattr(self, name, self.fields[name].from_primitive(self, name, value))
        # What does not come back was stored as it was sent; unforgotten, every later save would resend it.
        for name in set(self.SAVED_ALONG if saved else ()) - set(updates) - still_changed:
            nested = getattr(self, name) if self.obj_attr_is_set(name) else None
            if nested is not None:
                nested.obj_reset_changes(recursive=True)
        self.obj_reset_changes()
        self._changed_fields = still_changed

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
            raise OrphanedObjectError(objtype=self.obj_name(), method="obj_load_attr")
        return self._context

    def obj_fill(self, other: ComputedObject, names: frozenset[str]) -> None:
        """Take the fields `names` over from `other` without marking them changed."""
        for name in names:
            if other.obj_attr_is_set(name):
                setattr(self, name, getattr(other, name))
        self.obj_reset_changes(list(names), recursive=True)


def if_set(source: Any, name: str) -> Any:
    """The value of a field that is there, None for one that is not: nothing is loaded."""
    return getattr(source, name) if source.obj_attr_is_set(name) else None


class Ephemeral(ComputedObject):
    """Objects that live in no database: a field that nobody sets has its default."""

    def __init__(self, context: Any = None, **values: Any) -> None:
        super().__init__(context, **values)
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
    """Objects to primitives and back; newer objects go through the conductor's backport.

    Raises UnsupportedObjectError for an object or a namespace nobody here knows, and
    IncompatibleObjectVersion when there is no conductor to bring an object down to our version.
    """

    OBJ_BASE_CLASS = ComputedObject

    def __init__(self) -> None:
        super().__init__()
        from computed import objects  # whose modules import this one

        objects.register_all()
