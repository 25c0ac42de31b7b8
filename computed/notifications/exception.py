"""An error, as notifications tell it."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Any

from oslo_utils import strutils

from computed.notifications.base import Payload, payload_class
from computed.objects import fields


@payload_class
class ExceptionPayload(Payload):
    VERSION = "1.1"
    fields = {
        "exception": fields.StringField(),
        "exception_message": fields.StringField(),
        "function_name": fields.StringField(),
        "module_name": fields.StringField(),
        "traceback": fields.StringField(),
    }

    @classmethod
    def of_error(cls, error: BaseException) -> ExceptionPayload:
        """The error with the function that raised it; values that look like passwords are masked."""
        module_name, function_name = _where(error.__traceback__)
        lines = traceback.format_exception(error)
        return cls(
            exception=type(error).__name__,
            exception_message=strutils.mask_password(str(error)),
            function_name=function_name,
            module_name=module_name,
            # Joined by commas: consumers of stock's payload know it so.
            traceback=strutils.mask_password(",".join(lines)),
        )


def _where(trace: TracebackType | None) -> tuple[str, str]:
    """(module, function) in which an error was raised; "unknown" for one that never was."""
    if trace is None:
        return "unknown", "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame: Any = trace.tb_frame
    return str(frame.f_globals.get("__name__", "unknown")), frame.f_code.co_name
