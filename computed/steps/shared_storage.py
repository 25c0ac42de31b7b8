"""Whether another host sees the disks of an instance that lie here: asked before they are removed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def is_shared(host: ComputeHost, context: Any, instance: Any, other_host: str) -> bool:
    """True also when that cannot be found out: disks that are not known to be nobody else's are kept.

    One RPC to the other host, if the driver has something to look for there.
    """
    try:
        data = host.driver.mark_storage(context, instance)
    except NotImplementedError:
        return False
    except Exception as error:
        LOG.warning("The disks of instance %s are kept, nobody knows who sees them: %s", instance.uuid, error)
        return True
    if data is None:
        return True
    try:
        return host.computes.check_instance_shared_storage(context, other_host, instance=instance, data=data)
    except Exception as error:
        LOG.warning(
            "The disks of instance %s are kept: host %s did not say whether it sees them: %s",
            instance.uuid,
            other_host,
            error,
        )
        return True
    finally:
        try:
            host.driver.unmark_storage(context, data)
        except Exception as error:
            LOG.warning("A mark beside the disks of instance %s stays: %s", instance.uuid, error)
