"""Overwriting the root volume of a server with another image."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.states import ExternalEventName
from computed.steps import volumes

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_BYTES_PER_GIB: Final = 1 << 30


def overwrite(host: ComputeHost, context: Any, instance: Any, root: Any, image: Mapping[str, Any]) -> None:
    """Have the volume service write `image` over the root volume, and wait until it says that it has.

    The guest must not have the volume: it is disconnected from this host and stays reserved for the
    instance. Waits `reimage_timeout_per_gb` seconds for each GiB of the image. Raises BuildAbortException.
    """
    key = (str(ExternalEventName.VOLUME_REIMAGED), root.volume_id)
    try:
        volumes.park(host, context, instance, [root])
        with host.events.expect(instance.uuid, [key]) as expectation:
            host.volumes.reimage(context, root.volume_id, image["id"], is_reserved=True)
            expectation.wait(_patience_seconds(host, image))
    except (errors.NovaException, errors.InstanceEventTimeout) as error:
        if isinstance(error, errors.InstanceNotFound):
            raise
        LOG.error(
            "Instance %s: root volume %s was not overwritten with image %s, look into the volume service: %s",
            instance.uuid,
            root.volume_id,
            image["id"],
            error or "it did not say so in time",
        )
        reason = f"the volume service did not overwrite the root volume {root.volume_id}"
        raise errors.BuildAbortException(instance_uuid=instance.uuid, reason=reason) from error


def _patience_seconds(host: ComputeHost, image: Mapping[str, Any]) -> int:
    size_gib = math.ceil(int(image.get("size") or 0) / _BYTES_PER_GIB)
    seconds: int = host.conf.reimage_timeout_per_gb * max(size_gib, 1)
    return seconds
