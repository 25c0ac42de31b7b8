"""Puts instances back that have been rescued for too long."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.states import Action, TaskState, VmState

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def is_wanted(host: ComputeHost) -> bool:
    """Whether rescues have a time limit (`rescue_timeout`)."""
    return bool(host.conf.rescue_timeout > 0)


def poll_rescued_instances(host: ComputeHost, context: Any) -> None:
    """Unrescue, as their owners would, instances that were rescued `rescue_timeout` seconds ago.

    One conductor call when there are none.
    """
    filters = {"vm_state": str(VmState.RESCUED), "host": host.name}
    for instance in objects.InstanceList.get_by_filters(
        context, filters, expected_attrs=["system_metadata"], use_slave=True
    ):
        since = instance.launched_at
        is_due = since is None or timeutils.is_older_than(since, host.conf.rescue_timeout)
        if is_due and instance.task_state is None:
            host.lanes.start(instance.uuid, partial(_unrescue, host, context, instance))


def _unrescue(host: ComputeHost, context: Any, instance: Any) -> None:
    context.update_store()
    with host.locks.try_hold(instance.uuid) as is_free:
        if not is_free:
            LOG.debug("Instance %s is being worked on", instance.uuid)
            return
        instance.task_state = TaskState.UNRESCUING
        try:
            instance.save(expected_task_state=[None], expected_vm_state=[str(VmState.RESCUED)])
        except (errors.InstanceUpdateConflict, errors.InstanceNotFound):
            LOG.debug("Instance %s has moved on or is gone", instance.uuid)
            return
        LOG.info("Instance %s has been rescued for too long: it is put back", instance.uuid)
        objects.InstanceAction.action_start(context, instance.uuid, str(Action.UNRESCUE), want_result=False)
        host.own_calls("unrescue_instance", context, instance=instance)
