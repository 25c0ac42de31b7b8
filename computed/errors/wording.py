"""What is told of an error to those who may not read the log: the owner of a server, and whoever listens."""

from __future__ import annotations

from typing import Final

from computed.errors.base import NovaException
from computed.errors.local import ComputedError

_MESSAGE_BYTES: Final = 255


def fault_code(error: BaseException) -> int:
    """The HTTP status of the error's class; 500 for those that have none."""
    arguments = getattr(error, "kwargs", None)
    code = arguments.get("code", 500) if isinstance(arguments, dict) else 500
    return code if isinstance(code, int) else 500


def fault_message(error: BaseException) -> str:
    """What the owner may read: our own wording, or for a stranger's error, whose text may hold secrets,
    its class name only. Cut to what the record holds, at a character's edge."""
    if isinstance(error, NovaException):
        text = error.format_message()
    elif isinstance(error, ComputedError):
        text = str(error) or type(error).__name__
    elif isinstance(error, OSError) and error.strerror:
        # A full or read-only disk is what its owner can mend; names of files stay in the log.
        text = error.strerror
    else:
        text = type(error).__name__
    return text.encode()[:_MESSAGE_BYTES].decode(errors="ignore")
