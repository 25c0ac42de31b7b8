"""Builds that the record gives no host yet: only placement knows that they were meant for this one."""

from __future__ import annotations

import logging
from collections.abc import Set
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import TaskState, VmState

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def interrupted_builds(host: ComputeHost, context: RequestContext, known: Set[str]) -> list[Any]:
    """Instances being built or unshelved, none of `known`, that hold something of this host's nodes in
    placement.

    One placement request for each node, and one conductor call for all if anything is left to ask.
    A node that placement cannot be asked about is logged and left out.
    """
    consumers: set[str] = set()
    for node_uuid in host.driver.node_uuids().values():
        try:
            consumers.update(host.placement.provider_allocations(context, node_uuid).consumers)
        except errors.ResourceProviderNotFound:
            LOG.debug("Placement does not know node %s yet", node_uuid)
        except Exception as error:
            LOG.error("Interrupted builds on node %s cannot be looked for: %s", node_uuid, error)
    unknown = sorted(consumers - known)
    if not unknown:
        return []
    filters = {"vm_state": [str(VmState.BUILDING), str(VmState.SHELVED_OFFLOADED)], "uuid": unknown}
    found = objects.InstanceList.get_by_filters(context, filters, expected_attrs=[])
    return [instance for instance in found if _is_meant_for(host, instance)]


def _is_meant_for(host: ComputeHost, instance: Any) -> bool:
    if instance.vm_state == VmState.SHELVED_OFFLOADED:
        return instance.host is None and instance.task_state == TaskState.UNSHELVING
    return instance.host in (None, host.name)
