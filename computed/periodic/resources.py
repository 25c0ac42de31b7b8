"""The audit of resources by the clock (contract: periodic_tasks.json, update_available_resource)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from computed.periodic.task import Task, every

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost


def update_available_resource(host: ComputeHost, context: Any) -> None:
    """Bring the ledgers, the compute node records and placement in line with what is there."""
    host.tracker.update_available_resource(context)


TASK: Final = Task("update_available_resource", update_available_resource, every("update_resources_interval"))
