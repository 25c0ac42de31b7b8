"""Shelving a server: its disk becomes an image, and at once or later it leaves its host."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import DELETING_STATES, PowerState, VmState
from computed.steps import images, power, shelf_marks, shelving
from computed.steps.announce import announce_exists, announced
from computed.steps.guest import PARTS
from computed.steps.records import advance, require

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def shelve_instance(
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    image_id: str | None,
    clean_shutdown: bool,
    accel_uuids: Sequence[str] | None,
) -> None:
    """Stop a server and fill the image from its disk; with `shelved_offload_time` 0 then offload it.

    When that fails the server is what it was, running if it ran, and the image is removed. Its accelerators
    are given back when it is offloaded, whatever `accel_uuids` says of them.
    """
    with images.removed_unless_filled(host, context, image_id):
        _shelve_instance(host, context, instance, image_id, clean_shutdown=clean_shutdown)


def _shelve_instance(
    host: ComputeHost, context: Any, instance: Any, image_id: str | None, *, clean_shutdown: bool
) -> None:
    instance.load(*PARTS)
    is_offloaded = host.conf.shelved_offload_time == 0
    bdms = None
    if is_offloaded:
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    # Contract: of the disks it says nothing here.
    announce_exists(host, context, instance)
    with announced(host, context, instance, "shelve", bdms=bdms):
        _shelve(host, context, instance, image_id, clean_shutdown=clean_shutdown, is_offloaded=is_offloaded)
    if is_offloaded:
        shelving.offload(host, context, instance, bdms, clean_shutdown=False)


def shelve_offload_instance(
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    clean_shutdown: bool,
    accel_uuids: Sequence[str] | None,
) -> None:
    """Take a shelved server, or one that lives on a volume, off its host."""
    # An order that comes late must not destroy a server that has been unshelved meanwhile.
    require(instance, shelving.OFFLOADING_STATES)
    instance.load(*PARTS)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    shelving.offload(host, context, instance, bdms, clean_shutdown=clean_shutdown)


def _shelve(
    host: ComputeHost,
    context: Any,
    instance: Any,
    image_id: str | None,
    *,
    clean_shutdown: bool,
    is_offloaded: bool,
) -> None:
    """From a server that may be running to one that is SHELVED, or as it was."""
    was_on = power.power_state(host, instance) == PowerState.RUNNING
    is_paused = instance.power_state == PowerState.PAUSED
    # The first save tells whether the order is (still) for this state of the instance, before anything is
    # done to the guest.
    if image_id is not None:
        advance(host, instance, shelving.first_edge(host))
    try:
        power.power_off(host, instance, clean_shutdown=clean_shutdown and not is_paused)
        if image_id is not None:
            target = images.InstanceImage(host, context, instance, image_id)
            host.driver.snapshot(context.elevated(), instance, target)
        state = power.power_state(host, instance)
        shelf_marks.mark(host, instance, image_id)
        advance(host, instance, "shelve_then_offload" if is_offloaded else "shelve_done", power_state=state)
    except errors.ConductorUnavailable:
        # Nobody knows what the record says: what has been done may be what it speaks of.
        raise
    except Exception:
        shelf_marks.unmark(instance)
        _take_back(host, context, instance, image_id, was_on=was_on)
        raise


def _take_back(host: ComputeHost, context: Any, instance: Any, image_id: str | None, *, was_on: bool) -> None:
    """After a failure: remove the image, and start the guest again unless it is being deleted."""
    try:
        record = objects.Instance.get_by_uuid(context, instance.uuid, expected_attrs=[])
        task_state, vm_state = record.task_state, record.vm_state
    except errors.InstanceNotFound:
        task_state, vm_state = None, VmState.DELETED
    except Exception as failure:
        LOG.warning("Instance %s may stay off, image %s may stay: %s", instance.uuid, image_id, failure)
        return
    is_ours = task_state in shelving.SHELVING_STATES
    if image_id is not None and (is_ours or task_state in DELETING_STATES or vm_state == VmState.DELETED):
        images.remove(host, context, image_id)
    if not (is_ours and was_on):
        return
    try:
        power.power_on(host, context, instance)
    except Exception as failure:
        LOG.warning("Instance %s was not started again, start it: %s", instance.uuid, failure)
