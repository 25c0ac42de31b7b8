"""The root of the errors that cross the wire, and those with no narrower room."""

import re
from typing import Any, ClassVar

WIRE_MODULE = "nova.exception"
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_wire_classes: dict[str, type["NovaException"]] = {}


class NovaException(Exception):
    """An error whose class is known to nova's services under the same name.

    ``message`` replaces the text made of ``msg_fmt`` and the keyword arguments. ``kwargs`` holds the
    arguments and ``code`` (an HTTP status; it becomes the code of an instance fault), ``args`` the one
    finished text: from these the other side builds the error again (exceptions.json, rebuild_rule).
    """

    code: ClassVar[int] = 500
    msg_fmt: ClassVar[str] = "Something went wrong that has no name."
    safe: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # oslo.messaging derives throw-away "_Remote" classes elsewhere: they stay out of the table.
        if cls.__module__.startswith("computed.errors."):
            _register(cls)

    def __init__(self, message: object = None, **kwargs: Any) -> None:
        # The payload is JSON: an exception among the arguments travels as its text.
        self.kwargs = {k: str(v) if isinstance(v, BaseException) else v for k, v in kwargs.items()}
        self.kwargs.setdefault("code", self.code)
        self._text = self._compose() if message is None or message == "" else str(message)
        super().__init__(self._text)

    def _compose(self) -> str:
        """Fill in ``msg_fmt``; a missing argument shows as ``?`` rather than hide the error itself."""
        return _PLACEHOLDER.sub(lambda match: str(self.kwargs.get(match[1], "?")), self.msg_fmt)

    def format_message(self) -> str:
        """The finished text, without the traceback that a rebuilt remote error appends to ``str()``."""
        return self._text

    def __repr__(self) -> str:
        arguments = {k: v for k, v in self.kwargs.items() if k != "code"}
        return f"{type(self).__name__}({self._text!r}, {arguments})"

    @classmethod
    def message_args(cls) -> tuple[str, ...]:
        """The keyword arguments that ``msg_fmt`` names."""
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(cls.msg_fmt)))


def _register(cls: type[NovaException]) -> None:
    """Give ``cls`` the module under which the other services know it, and remember it by name."""
    if cls.__name__ in _wire_classes:
        raise TypeError(f"two error classes are called {cls.__name__}")
    cls.__module__ = WIRE_MODULE
    _wire_classes[cls.__name__] = cls


_register(NovaException)


def lookup(name: str) -> type[NovaException] | None:
    """The class that crosses the wire as ``name``, or None."""
    return _wire_classes.get(name)


def wire_classes() -> dict[str, type[NovaException]]:
    """Every class that crosses the wire, by name."""
    return dict(_wire_classes)


class NotFound(NovaException):
    code = 404
    msg_fmt = "Nothing was found."


class Invalid(NovaException):
    code = 400
    msg_fmt = "The request or a value in it is not acceptable."


class Forbidden(NovaException):
    code = 403
    msg_fmt = "This is not permitted."


class Unauthorized(NovaException):
    code = 401
    msg_fmt = "The caller is not authorized."


class NotSupported(NovaException):
    code = 400
    msg_fmt = "This is not supported here."


class OverQuota(NovaException):
    code = 413
    msg_fmt = "A quota does not allow this: %(overs)s."


class ServiceUnavailable(Invalid):
    msg_fmt = "A service that is needed here cannot be used."


class InternalError(NovaException):
    msg_fmt = "Internal error: %(err)s"


class NoUniqueMatch(NovaException):
    code = 409
    msg_fmt = "More than one candidate fits."


class ConstraintNotMet(NovaException):
    code = 412
    msg_fmt = "A condition of the update no longer holds."


class MarkerNotFound(NotFound):
    msg_fmt = "No record %(marker)s to continue the list from."


class AdminRequired(Forbidden):
    msg_fmt = "Only an administrator may do this."
