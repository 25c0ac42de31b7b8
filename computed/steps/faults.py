"""The fault record: what the API shows an instance's owner after a failure.

Contract: exceptions.json, fault_record.
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.steps.patience import SHORT_PATIENCE_SECONDS, patiently

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def record_fault(host: ComputeHost, context: Any, instance: Any, error: BaseException) -> None:
    """Create an InstanceFault for `error`; none for an instance that is gone.

    That the record cannot be made is logged and no error: the failure itself matters more.
    """
    if isinstance(error, errors.InstanceNotFound):
        return
    code = errors.fault_code(error)
    fault = objects.InstanceFault(
        context=context,
        host=host.name,
        instance_uuid=instance.uuid,
        code=code,
        message=errors.fault_message(error),
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
