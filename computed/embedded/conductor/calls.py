"""What a handler of the embedded conductor is given: the request, its transaction and the object called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from computed import errors
from computed.embedded.conductor.primitives import CHANGES, DATA, NAME, as_saved, field_names
from computed.embedded.store import Records
from computed.embedded.tables import KINDS


@dataclass
class ClassCall:
    """A remotable class method: who asks (`context`, a RequestContext) and the open transaction."""

    context: Any
    records: Records

    @property
    def read_deleted(self) -> str:
        """Which records the caller wants to see: no, yes or only."""
        return str(self.context.read_deleted or "no")


@dataclass
class ObjectCall(ClassCall):
    """A remotable method on one object: its fields as the caller has them, and what goes back to it.

    `data` are the fields that are set, as primitives; `changes` the names of those not saved yet. A handler
    calls `answer` with the record as it is now; what differs from `data` becomes the updates.
    """

    name: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    changes: frozenset[str] = frozenset()
    updates: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, context: Any, records: Records, objinst: Mapping[str, Any]) -> ObjectCall:
        """The call on the object of an envelope."""
        return cls(
            context, records, objinst[NAME], objinst.get(DATA, {}), frozenset(objinst.get(CHANGES, ()))
        )

    def changed(self) -> dict[str, Any]:
        """The fields to be written, clean of change marks."""
        return {name: as_saved(self.data[name]) for name in self.changes if name in self.data}

    def answer(self, record: Mapping[str, Any]) -> None:
        """Note for the reply every field of `record` that the caller does not have like this."""
        known = field_names(self.name)
        for name, value in record.items():
            if name in known and (name not in self.data or self.data[name] != value):
                self.updates[name] = value

    def refuse(self, action: str, reason: str) -> errors.NovaException:
        """The error that says that this cannot be done to the object in its present state."""
        return errors.ObjectActionError(action=action, reason=reason)

    def require_new(self) -> None:
        """Raise ObjectActionError for an object that has been created already."""
        if "id" in self.data:
            raise self.refuse("create", "already created")

    def require_existing(self, action: str) -> None:
        """Raise ObjectActionError for an object that has no record."""
        if "id" not in self.data:
            raise self.refuse(action, "already destroyed")


ClassHandler = Callable[..., Any]
ObjectHandler = Callable[..., Any]


def complete(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` with null for every simple field that its creator left out, as a database would have it."""
    names = field_names(kind) - KINDS[kind].unset - {"id"}
    return {**dict.fromkeys(names), **KINDS[kind].defaults, **fields}
