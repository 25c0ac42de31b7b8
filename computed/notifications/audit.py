"""Usage audit periods: hours, days, months or years that begin at an offset."""

from __future__ import annotations

from datetime import datetime, timedelta


def completed_period(spec: str, now: datetime) -> tuple[datetime, datetime]:
    """(begin, end) of the newest period that was over at `now`, which is naive UTC as the result is.

    `spec` is a unit with an offset, "month@15": hours begin at that minute, days at that hour, months at
    that day, years at that month. Raises ValueError for any other unit or an offset that does not exist.
    """
    unit, _, offset = spec.partition("@")
    number = int(offset or 0)
    end = _start(unit, number, now)
    if end >= now:
        end = _back(unit, end)
    return _back(unit, end), end


def _start(unit: str, offset: int, now: datetime) -> datetime:
    """The beginning of the period, of those that begin in now's hour, day, month or year."""
    if unit == "hour":
        return now.replace(minute=offset, second=0, microsecond=0)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "day":
        return midnight.replace(hour=offset)
    if unit == "month":
        return midnight.replace(day=offset or 1)
    if unit == "year":
        return midnight.replace(day=1, month=offset or 1)
    raise ValueError(f"a usage audit period is an hour, day, month or year, not {unit!r}")


def _back(unit: str, start: datetime) -> datetime:
    if unit in ("hour", "day"):
        return start - timedelta(**{f"{unit}s": 1})
    if unit == "year":
        return start.replace(year=start.year - 1)
    year, month = (start.year, start.month - 1) if start.month > 1 else (start.year - 1, 12)
    return start.replace(year=year, month=month)
