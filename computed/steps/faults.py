"""The fault record: what the API shows an instance's owner after a failure.

Contract: exceptions.json, fault_record.
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.steps.patience import SHORT_PATIENCE_SECONDS, patiently

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_MESSAGE_BYTES: Final = 255


def record_fault(host: ComputeHost, context: Any, instance: Any, error: BaseException) -> None:
    """Create an InstanceFault for `error`; none for an instance that is gone.

    That the record cannot be made is logged and no error: the failure itself matters more.
    """
    if isinstance(error, errors.InstanceNotFound):
        return
    code = fault_code(error)
    fault = objects.InstanceFault(
        context=context,
        host=host.name,
        instance_uuid=instance.uuid,
        code=code,
        message=fault_message(error),
        details="".join(traceback.format_exception(error)) if code == 500 else "",
    )
    try:
        patiently(
            f"Recording the fault of instance {instance.uuid}",
            lambda is_repeated: fault.create(),
            stopping=host.stopping,
            patience_seconds=SHORT_PATIENCE_SECONDS,
        )
    except Exception as failure:
        LOG.warning("The fault of instance %s could not be recorded: %s", instance.uuid, failure)


def fault_code(error: BaseException) -> int:
    """The HTTP status of the error's class; 500 for those that have none."""
    arguments = getattr(error, "kwargs", None)
    code = arguments.get("code", 500) if isinstance(arguments, dict) else 500
    return code if isinstance(code, int) else 500


def fault_message(error: BaseException) -> str:
    """What the owner may read: our own wording, or for a stranger's error, whose text may hold secrets,
    its class name only. Cut to what the record holds, at a character's edge."""
    if isinstance(error, errors.NovaException):
        text = error.format_message()
    elif isinstance(error, errors.ComputedError):
        text = str(error) or type(error).__name__
    elif isinstance(error, OSError) and error.strerror:
        # A full or read-only disk is what its owner can mend; names of files stay in the log.
        text = error.strerror
    else:
        text = type(error).__name__
    return text.encode()[:_MESSAGE_BYTES].decode(errors="ignore")
