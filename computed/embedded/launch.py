"""Sending a server to a node to be built there, and what becomes of one that no node takes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import oslo_messaging as messaging

from computed import errors, objects
from computed.embedded.conductor.instance_parts import ELSEWHERE, IN_ROW, instance_envelopes
from computed.embedded.conductor.primitives import Envelope, list_envelope
from computed.embedded.conductor.server import EnvelopeSerializer
from computed.embedded.store import Records, Store, utc_now
from computed.states import VmState

LOG = logging.getLogger(__name__)

_VERSION = "6.0"
"""What nova's clients send these methods as (contract: compute_rpc.json, client_6_5)."""
_MESSAGE_LENGTH = 255
EVERY_PART = IN_ROW | (ELSEWHERE - {"fault", "services"})


class ComputeCalls:
    """RPC to the computes, with objects as envelopes."""

    def __init__(self, transport: Any) -> None:
        target = messaging.Target(topic="compute", version=_VERSION)
        self._client = messaging.get_rpc_client(transport, target, serializer=EnvelopeSerializer())

    def cast(self, context: Any, host: str, method: str, **arguments: Any) -> None:
        """Send and forget."""
        self._client.prepare(server=host).cast(context, method, **arguments)

    def call(self, context: Any, host: str, method: str, **arguments: Any) -> Any:
        """Send and wait for the result; raises what the compute raises, MessagingTimeout."""
        return self._client.prepare(server=host).call(context, method, **arguments)


class Launcher:
    """Hands instances to nodes. `max_attempts` is how many nodes a build may be tried on."""

    def __init__(self, store: Store, computes: ComputeCalls, max_attempts: int) -> None:
        self._store = store
        self._computes = computes
        self.max_attempts = max_attempts

    def send(
        self,
        context: Any,
        instance_uuid: str,
        selections: Sequence[objects.Selection],
        build: Mapping[str, Any],
    ) -> None:
        """Cast the build to the first of `selections`; the others go with it as alternatives.

        `build` are the other arguments of build_and_run_instance, objects as envelopes. Raises
        InstanceNotFound when the instance has been deleted meanwhile.
        """
        chosen, others = selections[0], selections[1:]
        with self._store.transaction() as records:
            instance = instance_of_record(records, instance_uuid)
            disks = records.find("BlockDeviceMapping", instance_uuid=instance_uuid)
        properties = dict(build["filter_properties"])
        if self.max_attempts > 1:
            properties["retry"] = _with_attempt(properties.get("retry"), chosen)
        arguments = {
            **build,
            "instance": instance,
            "filter_properties": {**properties, "limits": {}},
            "block_device_mapping": list_envelope("BlockDeviceMappingList", "BlockDeviceMapping", disks),
            "node": chosen.nodename,
            "limits": {},
            "host_list": [other.obj_to_primitive() for other in others],
            "accel_uuids": [],
        }
        self._computes.cast(context, chosen.service_host, "build_and_run_instance", **arguments)

    def give_up(
        self, context: Any, instance_uuid: str, error: Exception, last_reason: str | None = None
    ) -> None:
        """Put an instance that no node takes into ERROR, with a fault that says why: `last_reason` is what
        the last node that tried it said."""
        message = error.format_message() if isinstance(error, errors.NovaException) else str(error)
        if last_reason:
            message = f"{last_reason.rstrip('.')}. {message}"
        LOG.warning("Instance %s is not built: %s", instance_uuid, message)
        with self._store.transaction() as records:
            row = records.first("Instance", uuid=instance_uuid)
            if row is None:
                return
            records.update("Instance", row, {"vm_state": VmState.ERROR, "task_state": None})
            records.insert(
                "InstanceFault",
                {
                    "instance_uuid": instance_uuid,
                    "code": getattr(error, "code", 500),
                    "message": message[:_MESSAGE_LENGTH],
                    "details": "",
                    "host": None,
                },
            )
            for action in records.find("InstanceAction", instance_uuid=instance_uuid, action="create"):
                records.update("InstanceAction", action, {"message": "Error", "finish_time": utc_now()})


def instance_of_record(records: Records, instance_uuid: str) -> Envelope:
    """The instance with every part that a compute may want; raises InstanceNotFound."""
    row = records.first("Instance", uuid=instance_uuid)
    if row is None:
        raise errors.InstanceNotFound(instance_id=instance_uuid)
    return instance_envelopes(records, [row], EVERY_PART)[0]


def _with_attempt(retry: Mapping[str, Any] | None, chosen: objects.Selection) -> dict[str, Any]:
    """The retry record of a build that goes to one more node: attempts are counted by who reschedules."""
    known = retry or {"num_attempts": 1, "hosts": []}
    return {**known, "hosts": [*known["hosts"], [chosen.service_host, chosen.nodename]]}
