"""What every versioned payload is: an object in the wire's form, filled from others and never read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from oslo_versionedobjects import base as ovo
from oslo_versionedobjects.fields import BaseEnumField, Enum, UnspecifiedDefault

from computed.objects.base import if_set

# Payloads are only ever sent: outside the registry, no message can bring one in.
payload_class = ovo.VersionedObjectRegistry.register_if(False)


@payload_class
class Payload(ovo.VersionedObject):  # type: ignore[misc]
    """A noun of a notification (namespace `nova`)."""

    OBJ_SERIAL_NAMESPACE = "nova_object"
    OBJ_PROJECT_NAMESPACE = "nova"
    VERSION = "1.0"
    SOURCES: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Field → (what it is taken from, the field there). Facts of the contract: fingerprints cover them."""

    @classmethod
    def of(cls, **sources: Any) -> Self:
        """A payload whose SOURCES are filled from the objects named as there."""
        payload = cls()
        payload.fill(**sources)
        return payload

    def fill(self, **sources: Any) -> None:
        """Fill the fields of SOURCES with what the objects already know; nothing is fetched."""
        for name, (source, attribute) in self.SOURCES.items():
            self.put(name, known(sources[source], attribute))

    def put(self, name: str, value: Any) -> None:
        """Set a field; None where the field knows no None is its default, or leaves it out."""
        field = self.fields[name]
        if value is None and not field.nullable:
            if field.default is not UnspecifiedDefault:
                self.obj_set_defaults(name)
            return
        setattr(self, name, value)

    def primitive(self) -> dict[str, Any]:
        """The payload as it is sent: without word of what changed, for everything is new."""
        self.obj_reset_changes(recursive=True)
        primitive: dict[str, Any] = self.obj_to_primitive()
        return primitive


def known(source: Any, attribute: str) -> Any:
    """A field of a versioned object if it is there, else None: a notification is not worth a call.

    What is no field is made of fields by the object itself.
    """
    if attribute not in source.fields:
        return getattr(source, attribute)
    return if_set(source, attribute)


def enum_field(kind: str, *values: str, base: type[Enum] = Enum) -> type[BaseEnumField]:
    """A field type of named values; fingerprints cover name, values and their order."""

    def __init__(self: Any) -> None:
        Enum.__init__(self, valid_values=values)

    enum = type(kind, (base,), {"__init__": __init__})
    return type(f"{kind}Field", (BaseEnumField,), {"AUTO_TYPE": enum()})
