"""Resizes that a restart has interrupted: gone on with, or ended with everything given back."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import MigrationStatus, MigrationType, PowerState, TaskState, VmState
from computed.steps import resizing, shares, volumes
from computed.steps.guest import PARTS, known_guest
from computed.steps.power import power_state
from computed.steps.records import save, set_migration_status

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

RESIZE_TYPES: Final = (MigrationType.RESIZE, MigrationType.MIGRATION)


def end(host: ComputeHost, context: RequestContext, instance: Any) -> None:
    """The disks have not left: nobody takes the instance any more, and it holds here what it held before.

    The caller clears its task state and saves.
    """
    filters = {
        "instance_uuid": instance.uuid,
        "status": [str(MigrationStatus.PRE_MIGRATING), str(MigrationStatus.MIGRATING)],
    }
    for migration in _resizes(context, filters):
        resizing.fail_migration(host, migration)
        resizing.try_return_allocation(host, context, instance, migration)
    resizing.forget(instance)
    instance.migration_context = None


def put_back(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    """The disks were about to leave and the destination does not know: make the guest again as it was.

    Raises what the driver and the services of volumes and shares raise; the migration has ended then.
    """
    instance.load(*PARTS, "migration_context")
    was = resizing.was(instance)
    end(host, context, instance)
    if guest != PowerState.RUNNING:
        _make_again(host, context, instance, is_on=was != VmState.STOPPED)
    instance.vm_state = was
    instance.task_state = None
    instance.power_state = power_state(host, instance)
    save(host, instance, expected=[TaskState.RESIZE_MIGRATING])


def _make_again(host: ComputeHost, context: RequestContext, instance: Any, *, is_on: bool) -> None:
    """The guest with its volumes and shares; what was mounted is mounted anew if the host was down, too."""
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    resizing.connect_volumes(host, context, instance, bdms)
    wanted = shares.of(host, context, instance)
    if is_on:
        shares.mount(host, context, instance, wanted)
    spec = replace(known_guest(instance, bdms, wanted), power_on=is_on)
    host.driver.finish_revert_migration(context, spec, None)
    volumes.complete(host, context, instance, bdms)


def go_on(host: ComputeHost, context: RequestContext, instance: Any) -> bool:
    """Do the leg again that was interrupted here, with all its guards; False when nobody knows which.

    An order that still waits in the message bus finds nothing to do afterwards. Between cells nothing is
    done: the conductor waits for each leg and records its failure, and until all is over the source's record
    looks like this although nothing was interrupted there.
    """
    migration = _migration_of(context, instance)
    if migration is None:
        return False
    if migration.cross_cell_move:
        LOG.info("Instance %s is resized between cells, which its conductor sees to", instance.uuid)
        return True
    if instance.task_state == TaskState.RESIZE_REVERTING:
        _revert(host, context, instance, migration)
        return True
    if instance.task_state == TaskState.RESIZE_FINISH:
        instance.task_state = TaskState.RESIZE_MIGRATED
        save(host, instance, expected=[TaskState.RESIZE_FINISH])
    host.own_calls(
        "finish_resize",
        context,
        disk_info=None,
        image={},
        instance=instance,
        migration=migration,
        request_spec=None,
    )
    return True


def _migration_of(context: RequestContext, instance: Any) -> Any:
    instance.load("migration_context")
    if instance.migration_context is None:
        return None
    try:
        migration = objects.Migration.get_by_id(context, instance.migration_context.migration_id)
    except errors.MigrationNotFound:
        return None
    return migration if migration.migration_type in RESIZE_TYPES else None


def _revert(host: ComputeHost, context: RequestContext, instance: Any, migration: Any) -> None:
    is_back = instance.host == migration.source_compute and migration.status == MigrationStatus.REVERTED
    if not is_back and migration.status == MigrationStatus.REVERTED:
        # The guest is gone, but the source may not have been told.
        set_migration_status(host, migration, MigrationStatus.REVERTING)
    method = "finish_revert_resize" if is_back else "revert_resize"
    host.own_calls(method, context, instance=instance, migration=migration, request_spec=None)


def _resizes(context: RequestContext, filters: dict[str, Any]) -> list[Any]:
    """Resizes and cold migrations. A conductor filters by one type only, and fails on a list of them."""
    found = objects.MigrationList.get_by_filters(context.elevated(), filters)
    return [migration for migration in found if migration.migration_type in RESIZE_TYPES]


def end_claimed(host: ComputeHost, context: RequestContext, migration: Any) -> None:
    """End a migration whose source was never told, if nothing has become of it since it was read.

    Whatever fails is logged and ends here.
    """
    context.update_store()
    try:
        found = objects.Migration.get_by_id(context, migration.id)
        if (found.status, found.updated_at) != (migration.status, migration.updated_at):
            return
        instance = objects.Instance.get_by_uuid(
            context, migration.instance_uuid, expected_attrs=["flavor", "system_metadata"]
        )
        if instance.task_state != TaskState.RESIZE_PREP:
            return
        LOG.warning("Instance %s: its resize to here was interrupted before it began", instance.uuid)
        end(host, context, instance)
        instance.task_state = None
        save(host, instance, expected=[TaskState.RESIZE_PREP])
    except (errors.NotFound, errors.UnexpectedTaskStateError) as error:
        LOG.info("Migration %s is over: %s", migration.uuid, error)
    except Exception:
        LOG.exception("Migration %s is left as it is", migration.uuid)


def confirm(host: ComputeHost, context: RequestContext, migration: Any) -> None:
    """Confirm again. Whatever fails is logged and ends here."""
    context.update_store()
    try:
        instance = objects.Instance.get_by_uuid(context, migration.instance_uuid, expected_attrs=[])
        LOG.warning("Instance %s: the confirmation of its resize goes on", instance.uuid)
        host.own_calls("confirm_resize", context, instance=instance, migration=migration)
    except errors.InstanceNotFound:
        LOG.info("Instance %s is gone before its resize was confirmed", migration.instance_uuid)
        resizing.end_confirmation(host, context, migration, is_broken=True)
    except Exception:
        LOG.exception("The resize of instance %s was not confirmed", migration.instance_uuid)
