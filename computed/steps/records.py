"""Saving an instance's record: along the edges of the state machine, and so that no answer gets lost."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import EDGES, Edge, MigrationStatus, TaskState, VmState
from computed.steps.patience import patiently

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def advance(
    host: ComputeHost,
    instance: Any,
    edge: str | Edge,
    /,
    *,
    vm_states: Sequence[VmState] = (),
    **changes: Any,
) -> None:
    """Walk one edge of states.EDGES: set its states and `changes`, and save what it expects.

    `vm_states` are those that it may start from, empty for any.

    Raises InstanceNotFound, InstanceUpdateConflict (of its kinds UnexpectedDeletingTaskStateError when the
    instance is being deleted, else UnexpectedTaskStateError where it is the task state that is another),
    ConductorUnavailable.
    """
    step = EDGES[edge] if isinstance(edge, str) else edge
    was = instance.task_state
    for name, value in changes.items():
        setattr(instance, name, value)
    if step.vm_state is not None:
        instance.vm_state = step.vm_state
    instance.task_state = step.task_state
    try:
        save(host, instance, expected=step.expected, vm_states=vm_states)
    except Exception:
        # Whoever cleans up must know which task state the record still has.
        instance.task_state = was
        raise


def save(
    host: ComputeHost,
    instance: Any,
    *,
    expected: Sequence[str | None] = (),
    vm_states: Sequence[str] = (),
) -> None:
    """Save `instance`, once, however often the answer is lost.

    `expected` are the task states and `vm_states` the states that the record must have, empty for any.
    """
    kwargs: dict[str, Any] = {}
    if expected:
        kwargs["expected_task_state"] = [state and str(state) for state in expected]
    if vm_states:
        kwargs["expected_vm_state"] = [str(state) for state in vm_states]

    def attempt(is_repeated: bool) -> None:
        try:
            instance.save(**kwargs)
        except errors.InstanceUpdateConflict:
            # Our own lost save may be what changed the states.
            if not (is_repeated and _is_saved(instance)):
                raise

    patiently(f"Saving instance {instance.uuid}", attempt, stopping=host.stopping)
    host.tracker.observe(instance)


def require(instance: Any, task_states: Sequence[TaskState | None], *, parts: Sequence[str] = ()) -> None:
    """Bring `instance` up to its record, and see that one of these tasks is under way.

    For verbs whose first deed cannot be taken back and that save nothing before it. `parts` are fetched in
    the same call, whether the message had them or not. Raises InstanceNotFound, UnexpectedTaskStateError,
    UnexpectedDeletingTaskStateError.
    """
    if parts:
        found = objects.Instance.get_by_uuid(instance._context, instance.uuid, expected_attrs=list(parts))
        instance.obj_fill(found, frozenset(found.fields))
    else:
        instance.refresh()
    if instance.task_state not in task_states:
        raise unexpected_task(instance, task_states)


def unexpected_task(instance: Any, task_states: Sequence[TaskState | None]) -> errors.NovaException:
    """The error that says that `instance` should have had one of these tasks."""
    error: type[errors.NovaException] = errors.UnexpectedTaskStateError
    if instance.task_state == TaskState.DELETING:
        error = errors.UnexpectedDeletingTaskStateError
    return error(
        instance_uuid=instance.uuid,
        expected={"task_state": [state and str(state) for state in task_states]},
        actual={"task_state": instance.task_state},
    )


def _is_saved(instance: Any) -> bool:
    """Whether the record has the states that we tried to save."""
    record = objects.Instance.get_by_uuid(instance._context, instance.uuid, expected_attrs=[])
    names = ("vm_state", "task_state", "host", "power_state")
    if any(getattr(record, name) != getattr(instance, name) for name in names):
        return False
    instance.obj_reset_changes()
    return True


def set_error(host: ComputeHost, instance: Any, *, clear_task_state: bool = False) -> None:
    """Put the instance into ERROR, whatever it was; no error when it is gone."""
    instance.vm_state = VmState.ERROR
    if clear_task_state:
        instance.task_state = None
    try:
        save(host, instance)
    except errors.InstanceNotFound:
        LOG.info("Instance %s is gone before it could be put into ERROR", instance.uuid)


def is_gone(context: Any, instance: Any, error: BaseException) -> bool:
    """Whether `error` came because the instance is deleted or being deleted.

    A driver's InstanceNotFound speaks of its guest only, so the record is asked; when it cannot be read, the
    instance is taken to be there.
    """
    if not isinstance(error, (errors.InstanceNotFound, errors.InstanceUpdateConflict)):
        return False
    try:
        record = objects.Instance.get_by_uuid(context, instance.uuid, expected_attrs=[])
    except errors.InstanceNotFound:
        return True
    except Exception:
        return False
    # Between its last two saves a deletion has no task any more.
    return bool(record.task_state == TaskState.DELETING or record.vm_state == VmState.DELETED)


def set_migration_status(host: ComputeHost, migration: Any, status: MigrationStatus) -> None:
    """Record how far a migration is; raises MigrationNotFound, ConductorUnavailable."""
    migration.status = str(status)
    patiently(
        f"Saving migration {migration.uuid} as {status}",
        lambda is_repeated: migration.save(),
        stopping=host.stopping,
    )


def forget_host(instance: Any) -> None:
    """Take the instance off its host in memory; the caller saves.

    No host, no zone either: it belongs to none as long as it is nowhere.
    """
    instance.host = None
    instance.node = None
    instance.compute_id = None
    instance.launched_on = None
    instance.availability_zone = None


def destroy(host: ComputeHost, instance: Any) -> None:
    """Remove the record, with everything that belongs to it; raises InstanceNotFound when it is gone."""

    def attempt(is_repeated: bool) -> None:
        try:
            instance.destroy()
        except errors.InstanceNotFound:
            if not is_repeated:
                raise

    patiently(f"Destroying the record of instance {instance.uuid}", attempt, stopping=host.stopping)
