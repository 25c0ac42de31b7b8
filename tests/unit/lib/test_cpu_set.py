"""Sets of CPUs as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from computed.lib.cpu_set import format_cpu_set, parse_cpu_set


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("", set()),
        ("3", {3}),
        ("0-3", {0, 1, 2, 3}),
        ("0-3,^2,8", {0, 1, 3, 8}),
        ("^2,0-3", {0, 1, 3}),
        ("0-7,^2-5", {0, 1, 6, 7}),
        (" 1 - 2 ,, 5", {1, 2, 5}),
    ],
)
def test_text_names_cpus(text: str, cpus: set[int]) -> None:
    assert parse_cpu_set(text) == cpus


@pytest.mark.parametrize("text", ["x", "3-1", "1-", "-1", "^", "1,2-x", "1--2"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"CPU|backwards"):
        parse_cpu_set(text)


def test_cpus_in_a_row_are_a_range() -> None:
    assert format_cpu_set([8, 2, 1, 0, 5, 4]) == "0-2,4-5,8"


@given(st.sets(st.integers(0, 300)))
def test_what_is_written_is_read_again(cpus: set[int]) -> None:
    assert parse_cpu_set(format_cpu_set(cpus)) == cpus
