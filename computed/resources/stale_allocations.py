"""Allocations whose instance is gone are given back; everything else that looks odd is only told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from oslo_log import log as logging

from computed import errors, objects
from computed.clients.placement import PlacementClient, ProviderAllocations

LOG = logging.getLogger(__name__)

JUDGE_AGAIN_SECONDS = 300.0
"""A consumer that we do not know, but that is not deleted either, is not asked about again for so long."""


class StaleAllocations:
    """Compares who holds something of a node's provider with who is on the node.

    No requests while all consumers are known; one call of the conductor for all that are not, and one
    request to placement for each that is proven deleted.
    """

    def __init__(self, client: PlacementClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._judged: dict[str, float] = {}
        self._without: dict[str, int] = {}

    def review(
        self, context: Any, held: ProviderAllocations, here: Collection[str], moving: Collection[str]
    ) -> None:
        """`here`: uuids of the instances on the node; `moving`: those of migrations and of what they move.

        Raises what the conductor or placement raise; what was not judged then is judged the next time.
        """
        unknown = held.consumers.keys() - set(here) - set(moving)
        self._tell_missing(set(here) - set(moving) - held.consumers.keys())
        self._judged = {uuid: when for uuid, when in self._judged.items() if uuid in unknown}
        now = self._clock()
        to_judge = sorted(
            uuid
            for uuid in unknown
            if uuid not in self._judged or now - self._judged[uuid] >= JUDGE_AGAIN_SECONDS
        )
        if to_judge:
            self._judge(context, to_judge)

    def _judge(self, context: Any, consumers: list[str]) -> None:
        anyone = context.elevated(read_deleted="yes")
        listed = objects.InstanceList.get_by_filters(anyone, {"uuid": consumers}, expected_attrs=[])
        records = {instance.uuid: instance for instance in listed}
        for uuid in consumers:
            instance = records.get(uuid)
            # The hidden half of a move between cells is deleted while its other half lives.
            if instance is not None and instance.deleted and not instance.hidden:
                self._give_back(context, uuid)
                continue
            self._judged[uuid] = self._clock()
            LOG.info("%s, which is not on this node, holds an allocation here: %s", uuid, _story(instance))

    def _give_back(self, context: Any, uuid: str) -> None:
        try:
            if self._client.delete_allocations(context, uuid):
                LOG.info("Instance %s is deleted and still held an allocation here: given back", uuid)
        except errors.AllocationDeleteFailed as exc:
            LOG.error("The allocation of deleted instance %s stays for now: %s", uuid, exc)

    def _tell_missing(self, uuids: Collection[str]) -> None:
        # One that is being deleted this moment has lost its allocation too: only the second time counts.
        self._without = {uuid: self._without.get(uuid, 0) + 1 for uuid in uuids}
        for uuid, times in self._without.items():
            if times == 2:
                LOG.warning("Instance %s is on this node and has no allocation here; nothing is done", uuid)


def _story(instance: Any) -> str:
    if instance is None:
        return "no record of it (it may be about to be built, or is no instance)"
    if not instance.host:
        return "it has no host (it may be about to come)"
    return f"it is on host {instance.host}, node {instance.node}, in task state {instance.task_state}"
