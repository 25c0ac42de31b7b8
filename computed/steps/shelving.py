"""What shelving, offloading and unshelving share: their edges, and the way off a host."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.states import EDGES, Edge, TaskState, VmState
from computed.steps import accelerators, power, shelf_marks, volumes
from computed.steps.announce import announced
from computed.steps.guest import doomed_guest
from computed.steps.records import advance, forget_host
from computed.steps.removal import publish

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

SHELVING_STATES: Final = (
    TaskState.SHELVING,
    TaskState.SHELVING_IMAGE_PENDING_UPLOAD,
    TaskState.SHELVING_IMAGE_UPLOADING,
)
OFFLOADING_STATES: Final = (TaskState.SHELVING, TaskState.SHELVING_OFFLOADING)


def offload(host: ComputeHost, context: Any, instance: Any, bdms: Any, *, clean_shutdown: bool) -> None:
    """Take a shelved instance off this host: guest, ports, volumes, allocations, record, in this order.

    What fails leaves it SHELVED, or STOPPED if it lives on a volume, with everything that is not given back
    yet; doing it again goes on from there. Raises what the remotes raise, UnexpectedTaskStateError when
    another verb has the instance.
    """
    admin = context.elevated()
    nodename = instance.node
    with announced(host, context, instance, "shelve_offload", bdms=bdms):
        try:
            power.power_off(host, instance, clean_shutdown=clean_shutdown)
        except errors.InstanceNotFound:
            LOG.info("Instance %s: an earlier try has taken its guest away", instance.uuid)
        state = power.power_state(host, instance)
        host.driver.destroy(admin, doomed_guest(instance, bdms))
        # Whoever saves the instance next, be it a guard, saves this too.
        instance.vm_state = _without_guest(instance)
        instance.power_state = state
        host.network.unbind(admin, instance)
        volumes.park(host, context, instance, bdms)
        accelerators.release(host, context, instance)
        host.placement.delete_allocations(context, instance.uuid)
        _leave_host(host, instance, state)
        host.tracker.release(instance)
        publish(host, context, nodename)
        host.scheduler.delete_instance_info(admin, instance.uuid)


def _without_guest(instance: Any) -> VmState:
    """What an instance is that has lost its guest and not left its host yet.

    Without its own disks there is no way back but from its image. One that lives on a volume was not shelved
    before: its owner can have its guest made anew, which a hard reboot does, or shelve it again.
    """
    is_on_volume = instance.vm_state != VmState.SHELVED and shelf_marks.image_of(instance) is None
    return VmState.STOPPED if is_on_volume else VmState.SHELVED


def _leave_host(host: ComputeHost, instance: Any, state: int) -> None:
    """Save the instance as offloaded and on no host, in one."""
    was = {name: getattr(instance, name) for name in (*_PLACE, "vm_state")}
    forget_host(instance)
    try:
        advance(host, instance, "offload_done", power_state=state)
    except Exception:
        # It is still ours to offload.
        for name, value in was.items():
            setattr(instance, name, value)
        raise


_PLACE: Final = ("host", "node", "compute_id", "launched_on", "availability_zone")


def first_edge(host: ComputeHost) -> Edge:
    """The edge that a shelving begins with, whether the driver has something to extract or not."""
    at_once = host.driver.snapshots_upload_at_once
    return EDGES["shelve_uploading_at_once" if at_once else "shelve_pending_upload"]


UNSHELVE: Final = replace(EDGES["unshelve_spawning"], expected=(TaskState.UNSHELVING,))
"""Stock expects nothing here, and so an order that came twice would take a running server apart."""
