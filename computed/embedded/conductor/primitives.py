"""Objects as they stand on the wire: making, opening and cleaning envelopes without building objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from oslo_versionedobjects import base as ovo

Envelope = dict[str, Any]

NAME = "nova_object.name"
NAMESPACE = "nova_object.namespace"
VERSION = "nova_object.version"
DATA = "nova_object.data"
CHANGES = "nova_object.changes"


def object_class(name: str) -> type[Any] | None:
    """The class registered under an object's name, or None."""
    classes = ovo.VersionedObjectRegistry.obj_classes().get(name)
    return classes[0] if classes else None


def field_names(name: str) -> frozenset[str]:
    """The names of all fields of an object."""
    return _FIELDS.get(name) or _remember_fields(name)


_FIELDS: dict[str, frozenset[str]] = {}


def _remember_fields(name: str) -> frozenset[str]:
    cls = object_class(name)
    if cls is None:
        raise LookupError(f"no object is called {name}")
    _FIELDS[name] = frozenset(cls.fields)
    return _FIELDS[name]


def envelope(name: str, data: Mapping[str, Any]) -> Envelope:
    """An object of this release with `data` as its fields; names that it does not have are left out."""
    known = field_names(name)
    cls = object_class(name)
    return {
        NAME: name,
        NAMESPACE: "nova",
        VERSION: cls.VERSION if cls else "1.0",
        DATA: {field: value for field, value in data.items() if field in known},
    }


def list_envelope(name: str, item: str, records: Iterable[Mapping[str, Any]]) -> Envelope:
    """A list object whose elements are `records` as objects called `item`."""
    return envelope(name, {"objects": [envelope(item, record) for record in records]})


def is_envelope(value: Any) -> bool:
    """Whether a value is an object on the wire."""
    return isinstance(value, dict) and NAME in value


def as_saved(value: Any) -> Any:
    """A copy of `value` in which no object says that it has changes: what is kept and given back."""
    if isinstance(value, dict):
        return {key: as_saved(item) for key, item in value.items() if key != CHANGES}
    if isinstance(value, list | tuple):
        return [as_saved(item) for item in value]
    return value
