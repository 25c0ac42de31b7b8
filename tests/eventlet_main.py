"""Runs pytest with green threads: the standard library must be patched before pytest imports it.

With `--shards N` the files are dealt to N processes: workers of pytest-xdist would not be green.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from computed.cmd.concurrency import ENVIRONMENT, EVENTLET, patch
from tests.at_once import run_at_once

# A functional test starts a whole cloud; most others take milliseconds.
FUNCTIONAL_WEIGHT = 20


class Shard:
    """A pytest plugin that leaves only the files of one shard."""

    def __init__(self, number: int, count: int) -> None:
        self.number, self.count = number, count

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        mine = deal(Counter(str(item.path) for item in items), self.count)[self.number]
        left = [item for item in items if str(item.path) not in mine]
        if left:
            config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if str(item.path) in mine]


def deal(tests: Counter[str], count: int) -> list[set[str]]:
    """Files (with the numbers of their tests) in `count` heaps of about the same weight."""
    heaps: list[set[str]] = [set() for _ in range(count)]
    weights = [0] * count
    weighed = {path: n * (FUNCTIONAL_WEIGHT if "functional" in path else 1) for path, n in tests.items()}
    for path in sorted(weighed, key=lambda path: (-weighed[path], path)):
        lightest = weights.index(min(weights))
        heaps[lightest].add(path)
        weights[lightest] += weighed[path]
    return heaps


def run(arguments: list[str], plugins: list[Any]) -> int:
    """pytest in this process, with green threads."""
    os.environ[ENVIRONMENT] = EVENTLET
    patch(EVENTLET)
    import pytest

    return int(pytest.main(["-p", "no:xdist", *arguments], plugins=plugins))


def run_shards(count: int, arguments: list[str]) -> int:
    """pytest in `count` processes at once."""
    shard = [sys.executable, __file__, "--shard"]
    return run_at_once([*shard, str(number), str(count), *arguments] for number in range(count))


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--shards", count, *rest]:
            return run_shards(int(count), rest)
        case ["--shard", number, count, *rest]:
            return run(rest, [Shard(int(number), int(count))])
        case _:
            return run(arguments, [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
