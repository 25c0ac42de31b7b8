"""Fails when a file, a function or a class has outgrown its wall.

A wall may be moved for one place: add it to MOVED with the reason.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_LINES = 600
FUNCTION_LINES = 60
CLASS_METHODS = 25

# "path", "path:Class" or "path:Class.function" → (limit, reason)
MOVED: dict[str, tuple[int, str]] = {}


@dataclass(frozen=True)
class Size:
    """One thing that has a wall: ``key`` as in MOVED, ``count`` in ``unit``."""

    key: str
    line: int
    count: int
    limit: int
    unit: str

    @property
    def is_over(self) -> bool:
        return self.count > MOVED.get(self.key, (self.limit, ""))[0]


def measure(path: str, text: str) -> Iterator[Size]:
    """Every size in the module ``text``."""
    yield Size(path, 1, len(text.splitlines()), FILE_LINES, "lines")
    yield from _measure_body(path, "", ast.parse(text))


def _measure_body(path: str, prefix: str, node: ast.AST) -> Iterator[Size]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}{child.name}"
            length = (child.end_lineno or child.lineno) - child.lineno + 1
            yield Size(f"{path}:{name}", child.lineno, length, FUNCTION_LINES, "lines")
            yield from _measure_body(path, f"{name}.", child)
        elif isinstance(child, ast.ClassDef):
            name = f"{prefix}{child.name}"
            methods = sum(isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef) for m in child.body)
            yield Size(f"{path}:{name}", child.lineno, methods, CLASS_METHODS, "methods")
            yield from _measure_body(path, f"{name}.", child)
        else:
            yield from _measure_body(path, prefix, child)


def main() -> int:
    root = Path(__file__).resolve().parents[2]
    over = 0
    for path in sorted([*root.glob("computed/**/*.py"), *root.glob("tests/**/*.py")]):
        name = str(path.relative_to(root))
        for size in measure(name, path.read_text()):
            if size.is_over:
                over += 1
                where = f"{name}:{size.line}: {size.key}"
                print(f"{where} has {size.count} {size.unit}, the wall is {size.limit}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
