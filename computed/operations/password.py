"""Changing the administrator's password inside a server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.states import PowerState, TaskState
from computed.steps.power import power_state
from computed.steps.records import advance, require

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_HARMLESS: Final = (errors.SetAdminPasswdNotSupported, errors.InstanceAgentNotEnabled)
"""They say why it is impossible, and nothing else."""


def set_admin_password(host: ComputeHost, context: RequestContext, *, instance: Any, new_pass: str) -> None:
    """Set the password; whatever happens, the server is then free for the next verb.

    An order that comes late sets none: the server may have a newer one.

    Raises InstancePasswordSetFailed, whose text never is that of the driver's error: it could hold the
    password. SetAdminPasswdNotSupported, InstanceAgentNotEnabled and NotImplementedError pass.
    """
    if power_state(host, instance) != PowerState.RUNNING:
        raise errors.InstancePasswordSetFailed(
            instance=instance.uuid, reason=f"instance {instance.uuid} is not running"
        )
    require(instance, (TaskState.UPDATING_PASSWORD,))
    try:
        host.driver.set_admin_password(instance, new_pass)
    except _HARMLESS:
        raise
    except NotImplementedError:
        raise NotImplementedError("this driver, or this guest, cannot set an admin password") from None
    except Exception as error:
        LOG.error("The admin password of instance %s was not set: %s", instance.uuid, type(error).__name__)
        raise errors.InstancePasswordSetFailed(
            instance=instance.uuid, reason="the driver could not set it"
        ) from None
    advance(host, instance, "set_password")
    LOG.info("The admin password of instance %s is set", instance.uuid)
