"""Confirms resizes that nobody has confirmed or reverted in time (`resize_confirm_window`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.states import DELETING_STATES, Action, MigrationStatus, TaskState, VmState
from computed.steps.patience import SHORT_PATIENCE_SECONDS, patiently

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_LEFT_ALONE = (*DELETING_STATES, TaskState.RESIZE_FINISH)


def is_wanted(host: ComputeHost) -> bool:
    """Whether resizes are confirmed by themselves at all."""
    return bool(host.conf.resize_confirm_window > 0)


def poll_unconfirmed_resizes(host: ComputeHost, context: Any) -> None:
    """Have every resize to this host confirmed that has been finished for longer than the window.

    One conductor call when there are none.
    """
    window_seconds = host.conf.resize_confirm_window
    for migration in objects.MigrationList.get_unconfirmed_by_dest_compute(
        context, window_seconds, host.name, use_slave=True
    ):
        try:
            _look_at(host, context, migration)
        except Exception:
            LOG.exception(
                "Migration %s of instance %s was not confirmed; a later run tries again",
                migration.uuid,
                migration.instance_uuid,
            )


def _look_at(host: ComputeHost, context: Any, migration: Any) -> None:
    try:
        instance = objects.Instance.get_by_uuid(
            context, migration.instance_uuid, expected_attrs=["metadata", "system_metadata"], use_slave=True
        )
    except errors.InstanceNotFound:
        _fail(migration, "its instance is gone")
        return
    if instance.vm_state == VmState.ERROR:
        _fail(migration, "its instance is in error")
    elif instance.task_state in _LEFT_ALONE:
        LOG.debug("Instance %s is %s: its resize waits", instance.uuid, instance.task_state)
    elif instance.vm_state != VmState.RESIZED or instance.task_state is not None:
        _fail(migration, f"its instance is {instance.vm_state}, {instance.task_state}")
    else:
        _confirm(host, context, instance, migration)


def _fail(migration: Any, why: str) -> None:
    LOG.warning("Migration %s ends in error: %s", migration.uuid, why)
    migration.status = str(MigrationStatus.ERROR)
    migration.save()


def _confirm(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """As the API does it for the owner (contract: conductor_rpc.json, calls_made_by_compute).

    One conductor call more than the order itself, for the source's service.
    """
    if not _can_be_taken(host, context, migration):
        LOG.warning(
            "The resize of instance %s waits to be confirmed: the service on %s is down",
            instance.uuid,
            migration.source_compute,
        )
        return
    LOG.info("Nobody has confirmed the resize of instance %s: that is done now", instance.uuid)
    migration.status = str(MigrationStatus.CONFIRMING)
    try:
        migration.save()
        _order(host, context, instance, migration)
    except Exception:
        _let_wait(host, context, migration)
        raise


def _can_be_taken(host: ComputeHost, context: Any, migration: Any) -> bool:
    """Whether the source is up to take the order: until it does nobody can confirm or revert any more.

    Raises ComputeHostNotFound.
    """
    if migration.cross_cell_move:
        # The order goes to the conductor, and the record of that service is in the other cell.
        return True
    service = objects.Service.get_by_compute_host(context, migration.source_compute)
    if service.forced_down:
        return False
    if host.conf.servicegroup_driver != "db":
        # Then the heartbeats of stock services are not in their records.
        return True
    seen = service.last_seen_up or service.created_at
    silent_seconds = timeutils.delta_seconds(seen, timeutils.utcnow(with_timezone=True))
    return bool(abs(silent_seconds) <= host.conf.service_down_time)


def _order(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    name = str(Action.CONFIRM_RESIZE)

    def record(is_repeated: bool) -> None:
        objects.InstanceAction.action_start(context, instance.uuid, name, want_result=False)

    def send(is_repeated: bool) -> None:
        given = {"instance": instance, "migration": migration}
        if migration.cross_cell_move:
            host.compute_tasks.confirm_snapshot_based_resize(context, **given)
        else:
            host.computes.confirm_resize(context, migration.source_compute, **given)

    for deed in (record, send):
        patiently(
            f"Ordering the confirmation of migration {migration.uuid}",
            deed,
            stopping=host.stopping,
            patience_seconds=SHORT_PATIENCE_SECONDS,
        )


def _let_wait(host: ComputeHost, context: Any, migration: Any) -> None:
    """Nobody was told to confirm: the owner may confirm or revert again, and after another window we do.

    A migration that is no longer confirming has been confirmed, by an order that arrived all the same; and
    so, but for the last save, has one whose instance is no longer resized.
    """

    def attempt(is_repeated: bool) -> None:
        known = objects.Migration.get_by_id(context, migration.id)
        instance = objects.Instance.get_by_uuid(context, migration.instance_uuid, expected_attrs=[])
        if known.status == MigrationStatus.CONFIRMING and instance.vm_state == VmState.RESIZED:
            known.status = str(MigrationStatus.FINISHED)
            known.save()

    try:
        patiently(f"Migration {migration.uuid} waits again", attempt, stopping=host.stopping)
    except Exception as error:
        LOG.error(
            "Migration %s of instance %s may be left as confirming, in which nobody can confirm or revert "
            "it: a restart of the agent on %s confirms it: %s",
            migration.uuid,
            migration.instance_uuid,
            migration.source_compute,
            error,
        )
