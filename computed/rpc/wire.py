"""How an error of ours looks to those outside, and how much of a stranger's text we repeat."""

from __future__ import annotations

from typing import Final

from computed import errors

_SHOWN_CHARACTERS: Final = 300


def for_the_wire(error: Exception, host: str) -> Exception:
    """`error` itself when others know its class, else the nearest class that they know."""
    if isinstance(error, errors.ShuttingDown):
        return errors.ComputeServiceUnavailable(host=host)
    if isinstance(error, errors.ComputedError):
        return errors.NovaException(f"{type(error).__name__}: {error}")
    return error


def shorten(value: object) -> str:
    """`value` as text for the log or an error, cut where a hostile sender would flood it."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}… ({len(text)} characters)"
