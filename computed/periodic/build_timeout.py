"""Ends builds that take longer than the operator allows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.states import VmState
from computed.steps.faults import record_fault

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def is_wanted(host: ComputeHost) -> bool:
    """Whether builds have a time limit (`instance_build_timeout`)."""
    return bool(host.conf.instance_build_timeout)


def check_build_time(host: ComputeHost, context: Any) -> None:
    """Put instances of this host that have been building for too long into ERROR, with a fault."""
    limit_seconds = host.conf.instance_build_timeout
    filters = {"vm_state": str(VmState.BUILDING), "host": host.name, "deleted": False}
    for instance in objects.InstanceList.get_by_filters(context, filters, expected_attrs=[], use_slave=True):
        if not timeutils.is_older_than(instance.created_at, limit_seconds):
            continue
        instance.vm_state = VmState.ERROR
        try:
            instance.save(expected_vm_state=[str(VmState.BUILDING)])
        except (errors.InstanceUpdateConflict, errors.InstanceNotFound):
            LOG.debug("Instance %s has ended building or is gone", instance.uuid)
            continue
        LOG.warning("Instance %s has been building for more than %d s", instance.uuid, limit_seconds)
        reason = f"the build took longer than {limit_seconds} s"
        record_fault(host, context, instance, errors.InstanceDeployFailure(reason=reason))
