"""Sets of CPUs as options, images and flavors write them: "0-3,^2,8"."""

from __future__ import annotations

from collections.abc import Iterable


def parse_cpu_set(text: str) -> set[int]:
    """The CPUs that `text` names: numbers and ranges, less those with a caret wherever they stand.

    Raises ValueError for anything else; empty pieces are passed over.
    """
    chosen: set[int] = set()
    left_out: set[int] = set()
    for piece in filter(None, (part.strip() for part in text.split(","))):
        target = left_out if piece.startswith("^") else chosen
        target.update(_cpus_of(piece.removeprefix("^")))
    return chosen - left_out


def _cpus_of(piece: str) -> range:
    first, dash, last = (part.strip() for part in piece.partition("-"))
    try:
        cpus = range(int(first), int(last if dash else first) + 1)
    except ValueError:
        raise ValueError(f"{piece!r} is neither a CPU nor a range of CPUs") from None
    if not cpus:
        raise ValueError(f"the range {piece!r} runs backwards")
    return cpus


def format_cpu_set(cpus: Iterable[int]) -> str:
    """`cpus` as text, with ranges where two or more follow each other: {0, 1, 2, 8} is "0-2,8"."""
    runs: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if runs and runs[-1][-1] == cpu - 1:
            runs[-1][1:] = [cpu]
        else:
            runs.append([cpu])
    return ",".join("-".join(map(str, run)) for run in runs)
