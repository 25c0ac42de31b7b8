"""How the tests on green threads are dealt to processes: every file once, in heaps of like weight."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.eventlet_main import deal

FILES = Counter(
    {"tests/unit/a.py": 40, "tests/functional/b.py": 3, "tests/unit/c.py": 15, "tests/unit/d.py": 5}
)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_file_is_dealt_once(count: int) -> None:
    heaps = deal(FILES, count)
    assert len(heaps) == count
    assert sorted(path for heap in heaps for path in heap) == sorted(FILES)


def test_heaps_are_of_like_weight() -> None:
    assert deal(FILES, 2) == [
        {"tests/functional/b.py"},
        {"tests/unit/a.py", "tests/unit/c.py", "tests/unit/d.py"},
    ]
