"""What this host tells every scheduler about its instances, for filters that look at them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import oslo_messaging

from computed import errors
from computed.clients.messaging import bus_errors, rpc_client

# The releases before 4.2, in which schedulers learnt to be told of instances, and those that brought more.
_RELEASES: Final[Mapping[str, str]] = {
    "icehouse": "3.0",
    "juno": "3.0",
    "kilo": "4.2",
    "liberty": "4.2",
    "mitaka": "4.3",
    "newton": "4.3",
    "ocata": "4.3",
    "pike": "4.4",
}

LOG = logging.getLogger(__name__)


class SchedulerClient:
    """Fan-out casts to the schedulers (contract: conductor_rpc.json, scheduler).

    Nothing is sent unless `[filter_scheduler]track_instance_changes` is set. A scheduler that misses a
    message learns of it at the next periodic sync, so a cast that fails is logged and forgotten.
    """

    def __init__(
        self, transport: Any, serializer: Any, host: str, *, is_enabled: bool, pin: str | None = None
    ) -> None:
        """`pin` is `[upgrade_levels]scheduler`: a version, or the name of a release."""
        target = oslo_messaging.Target(topic="scheduler", version="4.0")
        self._client = rpc_client(transport, target, serializer, _RELEASES.get(pin or "", pin))
        self._host = host
        self._is_enabled = is_enabled

    def update_instance_info(self, context: Any, instances: Any) -> None:
        """`instances` (an objects.InstanceList) are on this host, as they are now."""
        self._tell(context, "update_instance_info", instance_info=instances)

    def delete_instance_info(self, context: Any, instance_uuid: str) -> None:
        """The instance has left this host."""
        self._tell(context, "delete_instance_info", instance_uuid=instance_uuid)

    def sync_instance_info(self, context: Any, instance_uuids: list[str]) -> None:
        """These and no others are on this host."""
        self._tell(context, "sync_instance_info", instance_uuids=instance_uuids)

    def _tell(self, context: Any, method: str, **arguments: Any) -> None:
        if not self._is_enabled:
            return
        try:
            with bus_errors(f"scheduler {method}"):
                self._client.prepare(version="4.2", fanout=True).cast(
                    context, method, host_name=self._host, **arguments
                )
        except oslo_messaging.RPCVersionCapError as error:
            LOG.warning("[upgrade_levels]scheduler is too low for %s: %s", method, error)
        except errors.ConductorUnavailable as error:
            LOG.warning("The schedulers were not told: %s", error)
