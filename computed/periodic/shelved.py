"""Offloads shelved servers whose time on the host is over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.states import VmState
from computed.steps.guest import PARTS
from computed.steps.records import advance
from computed.steps.shelf_marks import SHELVED_AT

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def is_wanted(host: ComputeHost) -> bool:
    """Whether shelved servers leave the host after a while: not when they do at once, or never."""
    return bool(host.conf.shelved_offload_time > 0)


def poll_shelved_instances(host: ComputeHost, context: Any) -> None:
    """Offload those that have been shelved for longer than `shelved_offload_time`, one after the other."""
    filters = {"vm_state": str(VmState.SHELVED), "task_state": None, "host": host.name}
    for instance in objects.InstanceList.get_by_filters(
        context, filters, expected_attrs=list(PARTS), use_slave=True
    ):
        if is_due(instance.system_metadata.get(SHELVED_AT), host.conf.shelved_offload_time):
            _offload(host, context, instance)


def is_due(shelved_at: str | None, seconds: int) -> bool:
    """Whether something shelved then has been so for longer than that; what has no readable date is due."""
    if not shelved_at:
        return True
    try:
        since = timeutils.parse_isotime(shelved_at)
    except ValueError:
        return True
    return bool(timeutils.is_older_than(since, seconds))


def _offload(host: ComputeHost, context: Any, instance: Any) -> None:
    context.update_store()
    try:
        # As the API does: this is also what finds out whether the owner was quicker.
        advance(host, instance, "offload", vm_states=(VmState.SHELVED,))
        LOG.info("Instance %s was shelved long enough and is offloaded", instance.uuid)
        arguments = {"instance": instance, "clean_shutdown": False, "accel_uuids": []}
        host.own_calls("shelve_offload_instance", context, **arguments)
    except (errors.InstanceNotFound, errors.InstanceUpdateConflict) as error:
        LOG.info("Instance %s changed before it could be offloaded: %s", instance.uuid, error)
    except Exception:
        LOG.exception("Instance %s was not offloaded; the next run tries again", instance.uuid)
