"""The field types of the wire: oslo.versionedobjects' own, the enumerations, addresses, the network model.

The fingerprint of an object covers the names of its field types.
"""

from __future__ import annotations

import json
import re
from typing import Any

from oslo_versionedobjects import fields as ovo_fields
from oslo_versionedobjects.fields import (
    BooleanField,
    DateTimeField,
    DictOfIntegersField,
    DictOfListOfStringsField,
    DictOfNullableStringsField,
    DictOfSetOfIntegersField,
    DictOfStringsField,
    EnumField,
    FlexibleBooleanField,
    FloatField,
    IntegerField,
    IPAddressField,
    IPV4AddressField,
    IPV6AddressField,
    ListOfDictOfNullableStringsField,
    ListOfIntegersField,
    ListOfListsOfStringsField,
    ListOfObjectsField,
    ListOfSetsOfIntegersField,
    ListOfStringsField,
    ListOfUUIDField,
    MACAddressField,
    ObjectField,
    PCIAddressField,
    SensitiveStringField,
    SetOfIntegersField,
    SetOfStringsField,
    StringField,
    UUIDField,
    VersionPredicateField,
)

from computed.objects import network_model
from computed.objects.enumerations import *


class _Pattern(ovo_fields.FieldType[str]):
    """Text that must begin as a pattern says."""

    PATTERN = ""

    def coerce(self, obj: Any, attr: str, value: Any) -> str:
        """The text itself; raises ValueError when it does not match."""
        if isinstance(value, str) and re.match(self.PATTERN, value):
            return value
        raise ValueError(f"{attr}: {value!r} does not match {self.PATTERN}")


class _UpperPattern(_Pattern):
    """Upper case text that must match a pattern; lower case is raised."""

    def coerce(self, obj: Any, attr: str, value: Any) -> str:
        """The text in upper case; raises ValueError when it does not match."""
        return super().coerce(obj, attr, value.upper() if isinstance(value, str) else value)


def _pattern(
    kind: str, pattern: str, base: type[_Pattern] = _Pattern
) -> type[ovo_fields.AutoTypedField[str]]:
    return type(
        f"{kind}Field",
        (ovo_fields.AutoTypedField,),
        {"AUTO_TYPE": type(kind, (base,), {"PATTERN": pattern})()},
    )


IDEAddressField = _pattern("IDEAddress", r"[0-1]:[0-1]")
ResourceClassField = _pattern("ResourceClass", r"^[A-Z0-9_]+$", _UpperPattern)
SCSIAddressField = _pattern("SCSIAddress", r"[a-f0-9]+:[a-f0-9]+:[a-f0-9]+:[a-f0-9]+")
USBAddressField = _pattern("USBAddress", r"[a-f0-9]+:[a-f0-9]+")
XenAddressField = _pattern("XenAddress", r"(00[0-9]{2}00)|[1-9][0-9]+")


class NetworkModel(ovo_fields.FieldType[network_model.NetworkInfo]):
    """The network information of an instance; JSON text on the wire."""

    @staticmethod
    def coerce(obj: Any, attr: str, value: Any) -> network_model.NetworkInfo:
        """Text, a list of dictionaries or the model itself become the model."""
        if isinstance(value, network_model.NetworkInfo):
            return value
        if isinstance(value, str):
            return network_model.NetworkInfo.from_json(value)
        if isinstance(value, list):
            return network_model.NetworkInfo.hydrate(value)
        raise ValueError(f"{attr} must be network information, not {type(value).__name__}")

    @staticmethod
    def to_primitive(obj: Any, attr: str, value: network_model.NetworkInfo) -> str:
        """JSON text."""
        return value.json()

    @staticmethod
    def from_primitive(obj: Any, attr: str, value: str) -> network_model.NetworkInfo:
        """The model again."""
        return network_model.NetworkInfo.from_json(value)

    def stringify(self, value: network_model.NetworkInfo) -> str:
        """Port ids only: the rest is long."""
        return f"NetworkModel({', '.join(str(vif.get('id')) for vif in value)})"


class NetworkVIFModel(ovo_fields.FieldType[network_model.VIF]):
    """One interface of the network model; JSON text on the wire."""

    @staticmethod
    def coerce(obj: Any, attr: str, value: Any) -> network_model.VIF:
        """Text, a dictionary or the model itself become the model."""
        if isinstance(value, network_model.VIF):
            return value
        if isinstance(value, str):
            value = json.loads(value)
        if isinstance(value, dict):
            return network_model.VIF.hydrate(value)
        raise ValueError(f"{attr} must be a network interface, not {type(value).__name__}")

    @staticmethod
    def to_primitive(obj: Any, attr: str, value: network_model.VIF) -> str:
        """JSON text."""
        return json.dumps(value)

    @staticmethod
    def from_primitive(obj: Any, attr: str, value: str) -> network_model.VIF:
        """The model again."""
        return network_model.VIF.hydrate(json.loads(value))


class NetworkModelField(ovo_fields.AutoTypedField[network_model.NetworkInfo]):
    """A field of network information."""

    AUTO_TYPE = NetworkModel()


class NetworkVIFModelField(ovo_fields.AutoTypedField[network_model.VIF]):
    """A field of one network interface."""

    AUTO_TYPE = NetworkVIFModel()
