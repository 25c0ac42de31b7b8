"""A table of measurements, and how it is printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Measurements in rows; a cell is printed as it is, a float with three figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __str__(self) -> str:
        cells = [list(self.columns), *([_text(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[number]) for row in cells) for number in range(len(self.columns))]
        cells.insert(1, ["-" * width for width in widths])
        padded = ([cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in cells)
        return "\n".join([self.title, *("  ".join(row) for row in padded)])


def _text(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if cell >= 100 else f"{cell:.3g}"


def ratio(value: float, base: float) -> str:
    """How many times `base` the value is."""
    return f"{value / base:.2f}x" if base else "-"


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of the values stay below."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
