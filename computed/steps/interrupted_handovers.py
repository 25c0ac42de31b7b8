"""Resizes that stand still because a restart of their source came between two messages.

At two moments the record names the destination and it is the source's turn: when it has sent the disks and
is to say so, and when it is to take the instance back. An agent that looks only after the instances of its
own host would never hear of these again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import MigrationStatus, TaskState
from computed.steps import resizing
from computed.steps.guest import PARTS

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_TURNS: Final = {
    MigrationStatus.MIGRATING: TaskState.RESIZE_MIGRATED,
    MigrationStatus.POST_MIGRATING: TaskState.RESIZE_MIGRATED,
    MigrationStatus.REVERTED: TaskState.RESIZE_REVERTING,
}
STATUSES: Final = tuple(_TURNS)
"""Of migrations in which it may be the source's turn; most of the reverted ones have long been over."""

_TRAVELS_ALONG: Final = (*PARTS, "numa_topology", "pci_devices", "pci_requests", "resources")


def standing(host: ComputeHost, context: RequestContext, migrations: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Those of the migrations from here that stand still, each with its instance. One conductor call."""
    waiting = {str(task_state) for task_state in _TURNS.values()}
    uuids = {migration.instance_uuid for migration in migrations}
    filters = {"uuid": sorted(uuids), "task_state": sorted(waiting)}
    found = objects.InstanceList.get_by_filters(context, filters, expected_attrs=["migration_context"])
    instances = {instance.uuid: instance for instance in found}
    pairs = [(migration, instances.get(migration.instance_uuid)) for migration in migrations]
    return [(each, instance) for each, instance in pairs if instance and _is_our_turn(host, each, instance)]


def _is_our_turn(host: ComputeHost, migration: Any, instance: Any) -> bool:
    # An instance that the record has here is recovered like any other of this host.
    current = instance.migration_context
    return (
        instance.task_state == _TURNS[migration.status]
        and instance.host not in (None, host.name)
        and current is not None
        and current.migration_id == migration.id
    )


def go_on(host: ComputeHost, context: RequestContext, migration: Any, instance: Any) -> None:
    """Take this host's turn, if nothing has become of the migration since it was read.

    Should the message come all the same, then whichever is second changes nothing at an agent like this one.
    What the source knew of disks and image was lost with it: such an agent finds out by itself, but at
    stock's libvirt driver the server ends in ERROR, with a fault. Whatever fails is logged and ends here.
    """
    context.update_store()
    try:
        known = objects.Migration.get_by_id(context, migration.id)
        if (known.status, known.updated_at) != (migration.status, migration.updated_at):
            LOG.info("Migration %s goes on without this host", migration.uuid)
            return
        instance.load(*_TRAVELS_ALONG)
        LOG.warning("Instance %s was found %s: its resize goes on", instance.uuid, instance.task_state)
        if known.status == MigrationStatus.REVERTED:
            host.own_calls(
                "finish_revert_resize", context, instance=instance, migration=known, request_spec=None
            )
        else:
            resizing.have_finished(host, context, instance, known)
    except errors.NotFound as error:
        LOG.info("Migration %s is over: %s", migration.uuid, error)
    except Exception:
        LOG.exception("The resize of instance %s does not go on", instance.uuid)
