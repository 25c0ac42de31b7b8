"""Accelerators and their device profiles."""

from typing import Any

from computed.errors.base import NotSupported, NovaException


class AcceleratorRequestBindingFailed(NovaException):
    msg_fmt = "Accelerator requests were not bound: %(msg)s"

    def __init__(self, message: object = None, arqs: list[object] | None = None, **kwargs: Any) -> None:
        """``arqs``: the accelerator requests that are to be deleted again."""
        super().__init__(message, **kwargs)
        self.arqs = arqs or []


class AcceleratorRequestOpFailed(NovaException):
    msg_fmt = "Accelerator requests, %(op)s failed: %(msg)s"


class DeviceProfileError(NovaException):
    msg_fmt = "Device profile %(name)s: %(msg)s"


class ForbiddenWithAccelerators(NotSupported):
    msg_fmt = "An instance with accelerators does not allow this."
