"""The second leg, on the source: the guest is stopped and its disks are sent to the destination."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import RESIZING_STATES, MigrationStatus, TaskState
from computed.steps import network, overtaken, resizing, volumes
from computed.steps.announce import announced
from computed.steps.erring import erring
from computed.steps.failure_lines import leg
from computed.steps.guest import PARTS, known_guest
from computed.steps.power import shutdown_timing
from computed.steps.records import advance, set_migration_status

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


@leg(
    "sending from the source",
    "the instance stays on this host: look at its guest, hard-reboot it if it is off, then try again",
)
def resize_instance(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    image: Mapping[str, Any],
    migration: Any,
    flavor: Any,
    clean_shutdown: bool,
    request_spec: Any = None,
) -> None:
    """Stop the guest, send its disks to the host that has claimed it, and have it started there.

    A failure ends the migration and gives the allocations back; the instance is in ERROR here, or as before
    when the driver says that nothing has happened to it. A message that comes twice changes nothing.
    """
    before = instance.vm_state
    if not _begin(host, context, instance, migration):
        return
    try:
        with erring(host, instance, back_to=before), _stays_on_error(instance):
            _send(host, context, instance, migration, flavor, (image, clean_shutdown, request_spec))
    except Exception:
        _give_back(host, context, instance, migration)
        raise
    if migration.dest_compute != host.name:
        host.events.forget(instance.uuid)


@contextmanager
def _stays_on_error(instance: Any) -> Iterator[None]:
    """An instance that could not be handed over is this host's, also if its record has named the other."""
    names = ("host", "node", "compute_id", "old_flavor")
    before = {name: getattr(instance, name) for name in names}
    try:
        yield
    except Exception:
        for name, value in before.items():
            setattr(instance, name, value)
        raise


def _begin(host: ComputeHost, context: Any, instance: Any, migration: Any) -> bool:
    """Take the instance over; False when somebody has done so before."""
    try:
        instance.load(*PARTS)
        advance(host, instance, "resize_migrating")
    except errors.UnexpectedDeletingTaskStateError:
        _give_back(host, context, instance, migration)
        raise
    except errors.UnexpectedTaskStateError as error:
        LOG.info("Instance %s is not sent, it is in other hands: %s", instance.uuid, error)
        _end_if_nobody_wants_it(host, context, instance, migration)
        return False
    except Exception:
        # Nothing has happened: the guards find the task state of before, and clear it.
        resizing.forget(instance)
        instance.migration_context = None
        instance.task_state = TaskState.RESIZE_PREP
        _give_back(host, context, instance, migration)
        raise
    return True


def _give_back(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """The instance stays here, or is deleted: nothing is held elsewhere, and the migration has failed."""
    resizing.fail_migration(host, migration)
    resizing.try_return_allocation(host, context, instance, migration)
    # A deletion may have gone by before what the migration held was the instance's.
    overtaken.settle(host, context, instance, migration)


def _end_if_nobody_wants_it(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """End a migration whose instance was taken out of it before it began, by a restart for example.

    A message that comes twice finds the migration further on, or its instance on the way.
    """
    record = objects.Instance.get_by_uuid(context, instance.uuid, expected_attrs=[])
    if record.task_state in RESIZING_STATES:
        return
    known = objects.Migration.get_by_id(context, migration.id)
    if known.status == MigrationStatus.PRE_MIGRATING:
        resizing.fail_migration(host, migration)
        resizing.try_return_allocation(host, context, instance, migration)


def _send(
    host: ComputeHost, context: Any, instance: Any, migration: Any, flavor: Any, rest: tuple[Any, Any, Any]
) -> None:
    image, clean_shutdown, request_spec = rest
    set_migration_status(host, migration, MigrationStatus.MIGRATING)
    bdms = _disks(host, context, instance)
    told = {"bdms": bdms, "network_info": network.cached(instance)}
    with announced(host, context, instance, "resize", **told):
        timeout_seconds, _ = shutdown_timing(host, instance, clean_shutdown)
        disk_info = host.driver.migrate_disk_and_power_off(
            context, known_guest(instance, bdms), migration, flavor, timeout_seconds=timeout_seconds
        )
        volumes.park(host, context, instance, bdms)
        # Not worth a save of its own: it is recorded at the latest with the next status.
        migration.status = str(MigrationStatus.POST_MIGRATING)
        advance(
            host,
            instance,
            "resize_migrated",
            host=migration.dest_compute,
            node=migration.dest_node,
            compute_id=_compute_id(context, migration),
            old_flavor=instance.flavor,
        )
        resizing.have_finished(
            host, context, instance, migration, image=image, disk_info=disk_info, request_spec=request_spec
        )


def _disks(host: ComputeHost, context: Any, instance: Any) -> Any:
    """The block devices; not asked for when the driver knows of no volume, for it knows its own disks."""
    if not host.driver.has_volumes(instance):
        return objects.BlockDeviceMappingList(objects=[])
    return objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)


def _compute_id(context: Any, migration: Any) -> int:
    """The id of the destination's compute node; older destinations do not tell it."""
    if migration.obj_attr_is_set("dest_compute_id") and migration.dest_compute_id is not None:
        return int(migration.dest_compute_id)
    node = objects.ComputeNode.get_by_host_and_nodename(
        context.elevated(), migration.dest_compute, migration.dest_node
    )
    return int(node.id)
