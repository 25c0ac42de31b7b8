"""The last whole period before a moment."""

import datetime

import pytest

from computed.periodic.usage_audit import last_period

NOW = "2026-03-05 10:30:00"


def moment(text):
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("period", "now", "begin", "end"),
    [
        ("hour", NOW, "2026-03-05 09:00", "2026-03-05 10:00"),
        ("hour@10", NOW, "2026-03-05 09:10", "2026-03-05 10:10"),
        ("hour@50", NOW, "2026-03-05 08:50", "2026-03-05 09:50"),
        ("hour@30", NOW, "2026-03-05 08:30", "2026-03-05 09:30"),
        ("day", NOW, "2026-03-04 00:00", "2026-03-05 00:00"),
        ("day@6", NOW, "2026-03-04 06:00", "2026-03-05 06:00"),
        ("day@18", NOW, "2026-03-03 18:00", "2026-03-04 18:00"),
        ("month", NOW, "2026-02-01 00:00", "2026-03-01 00:00"),
        ("month@5", NOW, "2026-02-05 00:00", "2026-03-05 00:00"),
        ("month@15", NOW, "2026-01-15 00:00", "2026-02-15 00:00"),
        ("month", "2026-01-20 00:00", "2025-12-01 00:00", "2026-01-01 00:00"),
        ("month@25", "2026-01-20 00:00", "2025-11-25 00:00", "2025-12-25 00:00"),
        ("year", NOW, "2025-01-01 00:00", "2026-01-01 00:00"),
        ("year@3", NOW, "2025-03-01 00:00", "2026-03-01 00:00"),
        ("year@6", NOW, "2024-06-01 00:00", "2025-06-01 00:00"),
    ],
)
def test_period(period, now, begin, end):
    assert last_period(period, moment(now)) == (moment(begin), moment(end))
