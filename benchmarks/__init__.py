"""What things cost, in numbers: `python -m benchmarks` (or `tox -e bench`). Judges nothing.

A module of this package is a benchmark when it has `tables() -> Iterable[Table]`.
"""
