"""Who serves what ports ask of placement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from computed.clients.port_resources import PortResources, ResourceGroup, match, providers_for_all

HELD = {"root": {"VCPU": 4}, "red": {"IN": 100, "OUT": 100}, "blue": {"IN": 200}}
TRAITS = {"root": frozenset(), "red": frozenset({"RED"}), "blue": frozenset({"BLUE"})}


def group(name: str, required: str = "", **resources: int) -> ResourceGroup:
    return ResourceGroup(name, resources, tuple(required.split()))


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        ([], {}),
        ([group("a", IN=100, OUT=100)], {"a": ["red"]}),
        ([group("a", IN=200)], {"a": ["blue"]}),
        ([group("a", "BLUE", IN=100)], {"a": ["blue"]}),
        ([group("a", "RED BLUE", IN=100)], None),
        ([group("a", OTHER=1)], None),
        ([group("a", IN=201)], None),
        ([group("a", VCPU=1), group("b", OUT=100)], {"a": ["root"], "b": ["red"]}),
        # What the first could have of either is all that the second can have.
        ([group("a", IN=100), group("b", IN=100, OUT=100)], {"a": ["blue"], "b": ["red"]}),
        ([group("a", IN=100), group("b", IN=200)], {"a": ["red"], "b": ["blue"]}),
        ([group(name, IN=100) for name in "abc"], {"a": ["red"], "b": ["blue"], "c": ["blue"]}),
        ([group(name, IN=100) for name in "abcd"], None),
    ],
)
def test_groups_are_matched_with_what_is_held(
    groups: Sequence[ResourceGroup], found: dict[str, list[str]] | None
) -> None:
    assert match(groups, HELD, TRAITS) == found


PLAIN = {"id": "plain", "resource_request": None}
OLD = {"id": "old", "resource_request": {"resources": {"IN": 1}, "required": ["RED"]}}
NEW = {
    "id": "new",
    "resource_request": {"request_groups": [{"id": "g", "resources": {"IN": 1}}], "same_subtree": ["g"]},
}


@pytest.mark.parametrize(
    ("ports", "asked"),
    [
        ([], None),
        ([PLAIN], None),
        (
            [PLAIN, OLD, NEW],
            [
                PortResources("old", (group("old", "RED", IN=1),)),
                PortResources("new", (group("g", IN=1),), ("g",)),
            ],
        ),
    ],
)
def test_providers_are_asked_for_once_and_only_if_need_be(
    ports: Sequence[Any], asked: Sequence[PortResources] | None
) -> None:
    seen: list[Sequence[PortResources]] = []

    def find(wanted: Sequence[PortResources]) -> dict[str, list[str]]:
        seen.append(wanted)
        return {"g": ["red"]}

    assert providers_for_all(ports, find) == ({} if asked is None else {"g": ["red"]})
    assert seen == ([] if asked is None else [asked])


@pytest.mark.parametrize("told", [None, {}, {"g": ["red"]}])
def test_what_is_known_of_providers_is_taken(told: dict[str, list[str]] | None) -> None:
    assert providers_for_all([NEW], told) == told
