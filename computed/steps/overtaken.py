"""A deletion overtakes a move: what either end of it holds is given back, whoever comes last.

The deletion runs where the record says that the instance lives, one after the other with the legs of a
resize there (both hold the instance's lock), and ends a live migration that leaves first. The other end
finds out when it saves, or is refused something: then it takes back what it has made (`settle`). Files that
nobody at an end knows of any more are found there by `_cleanup_incomplete_migrations`, as with stock: for
that the deletion leaves the records of the moves in error.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import MigrationStatus, TaskState, VmState
from computed.steps import live_migration, resizing, volume_release
from computed.steps.departures import Phase
from computed.steps.guest import doomed_guest

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_LEAVING_SECONDS: Final = 120.0
"""How long a deletion waits until a live migration that it has stopped is taken back."""

_OVER: Final = (
    MigrationStatus.CANCELLED,
    MigrationStatus.COMPLETED,
    MigrationStatus.CONFIRMED,
    MigrationStatus.DONE,
    MigrationStatus.FAILED,
)
"""Statuses of moves that hold nothing any more; those in error may."""


# The deletion


def stop_leaving(host: ComputeHost, instance: Any) -> bool:
    """End the live migration of an instance that is to be deleted; whether there was one.

    When this returns it has been taken back, or the guest is at its destination, which has been told; only
    one that takes too long may still be under way.
    """
    phase = host.departures.stop_any(instance.uuid)
    if phase is None:
        return False
    LOG.info("Instance %s is deleted: its live migration is ended", instance.uuid)
    if phase is Phase.LEAVING:
        try:
            live_migration.abort(host, instance, may_be_early=True)
        except Exception as error:
            LOG.info("Instance %s is not kept from leaving: %s", instance.uuid, error)
    else:
        # Nor need it wait for its ports.
        host.events.forget(instance.uuid)
    if not host.departures.wait_for(instance.uuid, _LEAVING_SECONDS):
        LOG.warning("Instance %s is deleted while its live migration is taken back", instance.uuid)
    return True


def moves_of(host: ComputeHost, context: Any, instance: Any, *, is_known: bool = False) -> list[Any]:
    """The moves that may hold something for an instance that is deleted; asked for only when it bears a
    sign of one, or one `is_known`. Never raises."""
    has_sign = (
        instance.vm_state in (VmState.ERROR, VmState.RESIZED)
        or resizing.OLD_VM_STATE in instance.system_metadata
        or instance.new_flavor is not None
        or host.tracker.has_moves(instance.uuid)
    )
    if not (is_known or has_sign):
        return []
    try:
        found = objects.MigrationList.get_by_filters(context.elevated(), {"instance_uuid": instance.uuid})
    except Exception as error:
        LOG.warning("Instance %s: what its moves hold may stay: %s", instance.uuid, error)
        return []
    return [move for move in found if move.status not in _OVER]


def end(host: ComputeHost, context: Any, instance: Any, moves: Sequence[Any]) -> None:
    """Before the record goes: placement holds nothing for the moves, and they are in error, by which the
    other end finds what it has kept. Never raises."""
    for move in moves:
        live_migration.forget_allocations(host, context, (move.uuid,))
        if move.status != MigrationStatus.ERROR:
            LOG.info("Migration %s ends with its instance %s", move.uuid, instance.uuid)
            resizing.end_migration(host, move, MigrationStatus.ERROR)


def clear(host: ComputeHost, context: Any, instance: Any, moves: Sequence[Any]) -> None:
    """After the record has gone: what the other end has attached meanwhile is given back. Never raises."""
    if moves:
        release_attachments(host, context, instance)


def release_attachments(host: ComputeHost, context: Any, instance: Any) -> None:
    """Delete every attachment that the volume service has for an instance that is gone. Never raises."""
    try:
        left = [each.id for each in host.volumes.attachments(context.elevated(), instance.uuid)]
    except Exception as error:
        LOG.warning("Instance %s is gone and may keep attachments: %s", instance.uuid, error)
        return
    volume_release.leave(host, context, instance, (), left)


# The move


def is_deleted(context: Any, instance: Any) -> bool | None:
    """Whether the record says that the instance is gone; None: it is being deleted; False: neither.

    What cannot be read is taken to be there.
    """
    try:
        record = objects.Instance.get_by_uuid(context, instance.uuid, expected_attrs=[])
    except errors.InstanceNotFound:
        return True
    except Exception as error:
        LOG.warning("Instance %s could not be looked at: %s", instance.uuid, error)
        return False
    if record.vm_state == VmState.DELETED:
        # Between its last two saves a deletion has no task any more.
        return True
    return None if record.task_state == TaskState.DELETING else False


def settle(
    host: ComputeHost,
    context: Any,
    instance: Any,
    migration: Any,
    *,
    is_made_here: bool = False,
    status: MigrationStatus = MigrationStatus.ERROR,
) -> bool:
    """After a failure in a leg of a move: was that because the instance is deleted, or about to be?

    Then nothing of it stays here that its deletion may not have seen, and nothing allocated for its move;
    False when it lives on, and its leg is to deal with the failure. `is_made_here`: the leg has or may have
    made a guest here; `status`: what becomes of the migration. Never raises.
    """
    gone = is_deleted(context, instance)
    if gone is False:
        return False
    LOG.info("Migration %s of instance %s gives way to its deletion", migration.uuid, instance.uuid)
    if gone or is_made_here:
        _take_guest_away(host, context, instance)
    resizing.end_migration(host, migration, status)
    if gone:
        host.tracker.release(instance)
        release_attachments(host, context, instance)
    else:
        # Its deletion gives back what is the instance's own; it is yet to come, or under way elsewhere.
        gone = is_deleted(context, instance)
    consumers = (migration.uuid, instance.uuid) if gone else (migration.uuid,)
    live_migration.forget_allocations(host, context, consumers)
    return True


def _take_guest_away(host: ComputeHost, context: Any, instance: Any) -> None:
    """Whoever deletes the instance may have looked for its guest before it was made."""
    try:
        host.driver.destroy(context.elevated(), doomed_guest(instance, ()))
    except Exception as error:
        LOG.warning("The guest of the deleted instance %s may be left: %s", instance.uuid, error)
