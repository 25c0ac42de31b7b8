"""What a raw message says, how an error of ours looks to those outside, and how much of a stranger's text we
repeat."""

from __future__ import annotations

from typing import Any, Final

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


def method_of(message: Any) -> str:
    """The method that a message, which may be anything, calls; "?" if none."""
    return shorten(message.get("method")) if isinstance(message, dict) else "?"


def instance_of(message: Any) -> str | None:
    """The uuid of the instance that a message is about, or None."""
    uuid: Any = message
    for key in ("args", "instance", "nova_object.data", "uuid"):
        uuid = uuid.get(key) if isinstance(uuid, dict) else None
    return uuid if isinstance(uuid, str) else None


def ping_of(message: Any) -> str | None:
    """The word that a message brings which is a ping, or None."""
    arguments = message.get("args") if method_of(message) == "ping" else None
    word = arguments.get("arg") if isinstance(arguments, dict) else None
    return word if isinstance(word, str) else None
