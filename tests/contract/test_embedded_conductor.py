"""The embedded conductor against the contract: it answers every remotable that a stock compute calls."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from computed import objects
from computed.embedded.conductor.primitives import object_class
from computed.embedded.conductor.remotables import CLASS_METHODS, OBJECT_METHODS

FACTS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "facts" / "conductor_remotables.json").read_text()
)
CALLED = [(name, method) for name, methods in FACTS.items() for method in methods]

objects.register_all()


@pytest.mark.parametrize(("name", "method"), CALLED)
def test_every_remotable_that_a_compute_calls_is_answered(name: str, method: str) -> None:
    fact = FACTS[name][method]
    table = CLASS_METHODS if fact["kind"] != "instance" else OBJECT_METHODS
    handler = table[(name, method)]
    signature = inspect.signature(handler)
    signature.bind("call", *fact["args"])
    signature.bind("call", **dict.fromkeys(fact["required"]))


@pytest.mark.parametrize("name", sorted({name for name, _ in [*CLASS_METHODS, *OBJECT_METHODS]}))
def test_every_object_in_the_tables_is_one_of_ours(name: str) -> None:
    assert object_class(name) is not None
