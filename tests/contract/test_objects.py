"""Every object of the wire against the contract: versions, fields, fingerprints, remotables, encodings."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from oslo_versionedobjects import base as ovo
from oslo_versionedobjects import fields as ovo_fields
from oslo_versionedobjects import fixture

from computed import objects
from computed.context import RequestContext, get_admin_context
from computed.objects import fields, network_model
from computed.objects.base import ComputedObject, ComputedObjectSerializer, DictCompat, Ephemeral, ObjectList
from computed.objects.remote import manifest_of

FACTS_DIR = Path(__file__).parent / "facts"
FACTS = json.loads((FACTS_DIR / "objects.json").read_text())
SAMPLES = sorted((FACTS_DIR / "samples").glob("*.json"))
NAMES = sorted(FACTS["objects"])

objects.register_all()


def registered(name: str) -> Any:
    return ovo.VersionedObjectRegistry.obj_classes()[name][0]


@pytest.fixture(scope="module")
def fingerprints() -> dict[str, str]:
    classes = {name: [registered(name)] for name in NAMES}
    hashes: dict[str, str] = fixture.ObjectVersionChecker(classes).get_hashes()
    return hashes


def test_nothing_on_the_wire_is_missing_and_nothing_else_is_registered() -> None:
    ours = {
        name
        for name, classes in ovo.VersionedObjectRegistry.obj_classes().items()
        if any(issubclass(cls, ComputedObject) and cls.__module__.startswith("computed.") for cls in classes)
    }
    assert ours == set(NAMES)
    assert sum(fact["on_the_wire_of_a_compute"] for fact in FACTS["objects"].values()) == 90


@pytest.mark.parametrize("name", NAMES)
def test_object_is_what_the_contract_says(name: str, fingerprints: dict[str, str]) -> None:
    fact, ours = FACTS["objects"][name], registered(name)
    assert getattr(objects, name) is ours
    assert fact["version"] == ours.VERSION
    assert sorted(ours.fields) == sorted(fact["fields"])
    assert fingerprints[name] == fact["fingerprint"]
    assert manifest_of(name) == fact["version_manifest"]
    assert list(ours.obj_extra_fields) == fact["extra_fields"]
    assert issubclass(ours, DictCompat) == fact["dict_compat"]
    assert issubclass(ours, Ephemeral) == fact["ephemeral"]
    assert issubclass(ours, ObjectList) == fact["is_list"]


def shape_of(field_type: Any) -> dict[str, Any]:
    """A field's type in the words of the contract."""
    shape: dict[str, Any] = {"kind": type(field_type).__name__}
    if isinstance(field_type, ovo_fields.Object):
        shape.update(object=field_type._obj_name, subclasses_allowed=field_type._subclasses)
    if isinstance(field_type, ovo_fields.CompoundFieldType):
        inner = field_type._element_type
        element = shape_of(inner._type) | ({"nullable": True} if inner.nullable else {})
        shape.update(
            {"key": {"kind": "String"}, "value": element} if shape["kind"] == "Dict" else {"element": element}
        )
    if isinstance(field_type, ovo_fields.Enum):
        shape["valid_values"] = list(field_type.valid_values)
    if isinstance(field_type, ovo_fields.DateTime):
        shape["tzinfo_aware"] = field_type.tzinfo_aware
    if getattr(field_type, "PATTERN", None):
        shape["pattern"] = field_type.PATTERN
    return shape


def default_of(field: Any) -> Any:
    if isinstance(field.default, ComputedObject):
        return repr(field.default)
    return sorted(field.default) if isinstance(field.default, set) else field.default


@pytest.mark.parametrize("name", NAMES)
def test_fields_are_what_the_contract_says(name: str) -> None:
    ours = registered(name)
    for field_name, said in FACTS["objects"][name]["fields"].items():
        field = ours.fields[field_name]
        is_defaulted = field.default is not ovo_fields.UnspecifiedDefault
        found = {
            "nullable": field.nullable,
            "read_only": field.read_only,
            "has_default": is_defaulted,
            **({"default": default_of(field)} if is_defaulted else {}),
            **shape_of(field._type),
        }
        assert found == {key: value for key, value in said.items() if key != "field_class"}, field_name
        assert isinstance(field, getattr(fields, said["field_class"])), field_name
        child = said.get("object") or said.get("element", {}).get("object")
        assert FACTS["objects"][name]["children"].get(field_name) == child, field_name


@pytest.mark.parametrize("name", NAMES)
def test_remotables_are_what_the_contract_says(name: str) -> None:
    ours, found = registered(name), {}
    for method in dir(ours):
        bound = getattr(ours, method)
        if not getattr(bound, "remotable", False):
            continue
        parameters = list(
            inspect.signature(bound.__func__ if inspect.ismethod(bound) else bound).parameters.values()
        )
        is_class_method = inspect.ismethod(bound)
        args = [
            {2: "*", 4: "**"}.get(int(p.kind), "")
            + p.name
            + ("" if p.default is p.empty else f"={json.dumps(p.default)}")
            for p in parameters[2 if is_class_method else 1 :]
        ]
        found[method] = ("classmethod" if is_class_method else "instance", args)
    said = FACTS["objects"][name]["remotables"]
    assert found == {method: (fact["kind"], fact["args"]) for method, fact in said.items()}


def comparable(value: Any) -> Any:
    """Leave out what carries no meaning: order of changes, of sets, and of keys in JSON inside text."""
    if isinstance(value, dict):
        return {
            key: sorted(item) if key == "nova_object.changes" else comparable(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        items = [comparable(item) for item in value]
        return sorted(items) if all(isinstance(item, str) for item in items) else items
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return json.loads(value)
    return value


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample_round_trips(path: Path) -> None:
    sample = json.loads(path.read_text())
    serializer = ComputedObjectSerializer()
    entity = serializer.deserialize_entity(get_admin_context(), sample)
    again = json.loads(json.dumps(serializer.serialize_entity(get_admin_context(), entity)))
    assert comparable(again) == comparable(json.loads(path.read_text()))


def test_samples_are_read_as_objects() -> None:
    assert len(SAMPLES) == 17
    sample = json.loads((FACTS_DIR / "samples" / "instance.json").read_text())
    instance = ComputedObjectSerializer().deserialize_entity(get_admin_context(), sample)
    assert isinstance(instance, objects.Instance)
    assert instance.info_cache.network_info[0].fixed_ips()[0]["address"] == "192.0.2.10"


SINGLE_OBJECTS = [path for path in SAMPLES if FACTS["samples"][path.stem]["object"] in FACTS["objects"]]


@pytest.mark.parametrize("path", SINGLE_OBJECTS, ids=lambda path: path.stem)
def test_a_clone_is_sent_as_its_original(path: Path) -> None:
    serializer = ComputedObjectSerializer()
    entity = serializer.deserialize_entity(get_admin_context(), json.loads(path.read_text()))
    clone = entity.obj_clone()
    assert comparable(clone.obj_to_primitive()) == comparable(entity.obj_to_primitive())


ENCODED: dict[str, Any] = {
    "BooleanField": "yes",
    "DateTimeField aware": "2026-01-02T03:04:05Z",
    "DateTimeField from text": "2026-01-02T03:04:05+02:00",
    "DateTimeField microseconds": "2026-01-02T03:04:06.789Z",
    "DictOfIntegersField": {"k": "1"},
    "DictOfListOfStringsField": {"k": ["v"]},
    "DictOfNullableStringsField": {"k": None},
    "DictOfSetOfIntegersField": {"0": {1}},
    "DictOfStringsField": {"k": "v"},
    "FlexibleBooleanField from yes": "yes",
    "FloatField": "1.5",
    "IPAddressField v4": "192.0.2.7",
    "IPAddressField v6": "2001:db8::1",
    "IntegerField": 7,
    "IntegerField from text": "7",
    "ListOfDictOfNullableStringsField": [{"a": None}],
    "ListOfListsOfStringsField": [["a", "b"]],
    "ListOfStringsField": ["b", "a"],
    "MACAddressField": "fa:16:3e:00:00:01",
    "NetworkModelField": [],
    "PCIAddressField": "0000:81:00.1",
    "SensitiveStringField": "secret",
    "SetOfIntegersField": {1, 2, 3},
    "SetOfStringsField": {"x"},
    "StringField": "text",
    "UUIDField": "00000001-0000-4000-8000-000000000001",
    "VMModeField from text": "HV",
    "VersionPredicateField": ">=1.0",
}


@pytest.mark.parametrize("case", sorted(ENCODED))
def test_a_value_is_encoded_as_the_contract_measured(case: str) -> None:
    fact = FACTS["primitive_encoding"][case]
    field = getattr(fields, case.split()[0])()
    coerced = field.coerce(None, "attr", ENCODED[case])
    primitive = field.to_primitive(None, "attr", coerced)
    assert type(coerced).__name__ == fact["coerced_type"]
    assert type(primitive).__name__ == fact["json_type"]
    assert json.loads(json.dumps(primitive)) == fact["primitive"]
    read = field.coerce(None, "attr", field.from_primitive(ComputedObject(), "attr", fact["primitive"]))
    assert field.to_primitive(None, "attr", read) == primitive


def test_every_measured_encoding_is_covered() -> None:
    # no object of a compute has a field of type IPNetwork
    assert set(FACTS["primitive_encoding"]) - set(ENCODED) == {"IPNetworkField"}


@pytest.mark.parametrize("name", ["FixedIP", "IP", "Network", "Route", "Subnet", "VIF"])
def test_network_model_has_the_keys_of_the_contract(name: str) -> None:
    model = getattr(network_model, name)()
    kinds = {key: None if value is None else type(value).__name__ for key, value in model.items()}
    assert kinds == FACTS["network_model"][name]["keys"]


def test_context_round_trips() -> None:
    on_wire = json.loads((FACTS_DIR / "context_on_wire.json").read_text())
    assert RequestContext.from_dict(on_wire).to_dict() == on_wire
    ours = get_admin_context().to_dict()
    assert sorted(ours) == sorted(FACTS["context"]["keys_on_wire"])
    for key, value in FACTS["context"]["admin_context_of_compute"].items():
        assert ours[key] == value, key


def test_only_the_catalog_entries_of_the_contract_travel() -> None:
    kept = FACTS["context"]["service_catalog_types_kept"]
    catalog = [{"type": kind, "endpoints": []} for kind in [*kept, "dns", "object-store"]]
    context = RequestContext(service_catalog=catalog)
    assert [entry["type"] for entry in context.to_dict()["service_catalog"]] == kept
