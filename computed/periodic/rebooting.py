"""Reboots instances hard whose soft reboot has got stuck."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.states import SOFT_REBOOT_STATES, Action, TaskState

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def is_wanted(host: ComputeHost) -> bool:
    """Whether reboots have a time limit (`reboot_timeout`)."""
    return bool(host.conf.reboot_timeout)


def poll_rebooting_instances(host: ComputeHost, context: Any) -> None:
    """See to instances whose soft reboot has not moved for `reboot_timeout` seconds.

    Those that the agent is still at work on are left to it.
    """
    filters = {"task_state": [str(state) for state in SOFT_REBOOT_STATES], "host": host.name}
    rebooting = objects.InstanceList.get_by_filters(context, filters, expected_attrs=[], use_slave=True)
    for instance in rebooting:
        changed_at = instance.updated_at or instance.created_at
        if timeutils.is_older_than(changed_at, host.conf.reboot_timeout):
            host.lanes.start(instance.uuid, partial(_reboot_hard, host, context, instance))


def _reboot_hard(host: ComputeHost, context: Any, instance: Any) -> None:
    context.update_store()
    with host.locks.try_hold(instance.uuid) as is_free:
        if not is_free:
            LOG.debug("Instance %s is being worked on", instance.uuid)
            return
        was, instance.task_state = instance.task_state, TaskState.REBOOTING_HARD
        try:
            instance.save(expected_task_state=[was])
        except (errors.UnexpectedTaskStateError, errors.InstanceNotFound):
            LOG.debug("Instance %s has moved on or is gone", instance.uuid)
            return
        LOG.warning("Instance %s is stuck in a reboot (%s): rebooting it hard", instance.uuid, was)
        objects.InstanceAction.action_start(context, instance.uuid, str(Action.REBOOT), want_result=False)
        host.own_calls(
            "reboot_instance", context, instance=instance, block_device_info=None, reboot_type="HARD"
        )
