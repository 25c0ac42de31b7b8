"""The walls against files, functions and classes that grow too large."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).resolve().parents[1] / "lint" / "sizes.py"


@pytest.fixture(scope="module")
def sizes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lint_sizes", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lint_sizes"] = module
    spec.loader.exec_module(module)
    return module


def _function(lines: int) -> str:
    return "def f():\n" + "    x = 1\n" * (lines - 1)


def _class(methods: int) -> str:
    return "class C:\n" + "    def m(self): ...\n" * methods


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("x = 1\n" * 600, []),
        ("x = 1\n" * 601, ["p"]),
        (_function(60), []),
        (_function(61), ["p:f"]),
        (_class(25), []),
        (_class(26), ["p:C"]),
        ("class C:\n" + "".join(f"    {line}\n" for line in _function(61).splitlines()), ["p:C.f"]),
        ("if True:\n" + "".join(f"    {line}\n" for line in _class(26).splitlines()), ["p:C"]),
    ],
)
def test_walls(sizes: ModuleType, text: str, over: list[str]) -> None:
    assert [size.key for size in sizes.measure("p", text) if size.is_over] == over


def test_a_wall_can_be_moved_for_one_place(sizes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sizes.MOVED, "p:f", (61, "for this test"))
    assert not [size for size in sizes.measure("p", _function(61)) if size.is_over]
    assert [size for size in sizes.measure("p", _function(62)) if size.is_over]
