"""Every object of the wire against the contract: versions, fields, fingerprints, manifests, samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oslo_versionedobjects import base as ovo
from oslo_versionedobjects import fixture

from computed import objects
from computed.context import RequestContext, get_admin_context
from computed.objects.base import ComputedObjectSerializer, manifest_of

FACTS_DIR = Path(__file__).parent / "facts"
FACTS = json.loads((FACTS_DIR / "objects.json").read_text())
SAMPLES = sorted((FACTS_DIR / "samples").glob("*.json"))

objects.register_all()


def registered(name: str) -> Any:
    return ovo.VersionedObjectRegistry.obj_classes()[name][0]


@pytest.fixture(scope="module")
def fingerprints() -> dict[str, str]:
    classes = {name: [registered(name)] for name in FACTS["objects"]}
    hashes: dict[str, str] = fixture.ObjectVersionChecker(classes).get_hashes()
    return hashes


@pytest.mark.parametrize("name", sorted(FACTS["objects"]))
def test_object_is_what_the_contract_says(name: str, fingerprints: dict[str, str]) -> None:
    fact, ours = FACTS["objects"][name], registered(name)
    assert fact["version"] == ours.VERSION
    assert sorted(ours.fields) == sorted(fact["fields"])
    assert fingerprints[name] == fact["fingerprint"]
    assert manifest_of(name) == fact["version_manifest"]
    for field, said in fact["fields"].items():
        assert ours.fields[field].read_only == said["read_only"], field
        assert ours.fields[field].nullable == said["nullable"], field


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


def without(value: Any, places: list[str]) -> Any:
    """`value` without the change lists that nova itself adds when it reads and sends a sample again."""
    for place in places:
        at = value["nova_object.data"]
        steps = [step for step in place.split("/") if step and step != "data"]
        if len(steps) > 1:
            at[steps[0]].pop("nova_object.changes", None)
        else:
            value.pop("nova_object.changes", None)
    return value


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample_round_trips(path: Path) -> None:
    sample = json.loads(path.read_text())
    serializer = ComputedObjectSerializer()
    entity = serializer.deserialize_entity(get_admin_context(), sample)
    again = json.loads(json.dumps(serializer.serialize_entity(get_admin_context(), entity)))
    extra = FACTS["samples"].get(path.stem, {}).get("extra_changes_after_round_trip", [])
    assert comparable(without(again, extra)) == comparable(without(sample, extra))


def test_samples_are_read_as_objects() -> None:
    assert len(SAMPLES) == 17
    sample = json.loads((FACTS_DIR / "samples" / "instance.json").read_text())
    instance = ComputedObjectSerializer().deserialize_entity(get_admin_context(), sample)
    assert isinstance(instance, objects.Instance)
    assert instance.info_cache.network_info[0].fixed_ips()[0]["address"] == "192.0.2.10"


def test_context_round_trips() -> None:
    on_wire = json.loads((FACTS_DIR / "context_on_wire.json").read_text())
    assert RequestContext.from_dict(on_wire).to_dict() == on_wire
    ours = get_admin_context().to_dict()
    assert sorted(ours) == sorted(FACTS["context"]["keys_on_wire"])
    for key, value in FACTS["context"]["admin_context_of_compute"].items():
        assert ours[key] == value, key
