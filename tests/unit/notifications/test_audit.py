"""Audit periods, as table rows."""

from datetime import datetime

import pytest

from computed.notifications.audit import completed_period

NOW = datetime(2026, 3, 15, 10, 30, 20)


def at(*parts):
    return datetime(*parts)


@pytest.mark.parametrize(
    ("spec", "now", "begin", "end"),
    [
        ("hour", NOW, at(2026, 3, 15, 9), at(2026, 3, 15, 10)),
        ("hour@15", NOW, at(2026, 3, 15, 9, 15), at(2026, 3, 15, 10, 15)),
        ("hour@45", NOW, at(2026, 3, 15, 8, 45), at(2026, 3, 15, 9, 45)),
        ("hour", at(2026, 3, 15, 10), at(2026, 3, 15, 8), at(2026, 3, 15, 9)),
        ("day", NOW, at(2026, 3, 14), at(2026, 3, 15)),
        ("day@9", NOW, at(2026, 3, 14, 9), at(2026, 3, 15, 9)),
        ("day@11", NOW, at(2026, 3, 13, 11), at(2026, 3, 14, 11)),
        ("month", NOW, at(2026, 2, 1), at(2026, 3, 1)),
        ("month@20", NOW, at(2026, 1, 20), at(2026, 2, 20)),
        ("month@10", at(2026, 1, 5), at(2025, 11, 10), at(2025, 12, 10)),
        ("month", at(2026, 1, 5), at(2025, 12, 1), at(2026, 1, 1)),
        ("year", NOW, at(2025, 1, 1), at(2026, 1, 1)),
        ("year@6", NOW, at(2024, 6, 1), at(2025, 6, 1)),
    ],
)
def test_completed_period(spec, now, begin, end):
    assert completed_period(spec, now) == (begin, end)


@pytest.mark.parametrize("spec", ["week", "", "hour@61", "day@x"])
def test_periods_that_do_not_exist(spec):
    with pytest.raises(ValueError):
        completed_period(spec, NOW)
