"""The power of a guest: what it is, switching it off and on, and what the record says of it afterwards."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import EDGES, POWERED_OFF, PowerState, ShareStatus, TaskState, VmState
from computed.steps import accelerators, network, shares, shelf_marks
from computed.steps.announce import announced
from computed.steps.guest import PARTS, known_guest
from computed.steps.records import advance, require, set_error, unexpected_task
from computed.steps.volume_refresh import refresh_if_possible

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def power_state(host: ComputeHost, instance: Any) -> int:
    """The power state code of the guest; NOSTATE when the hypervisor says that it has none such.

    Raises HypervisorUnavailable: then the state is not known.
    """
    try:
        return int(host.driver.state(instance).power_state)
    except errors.InstanceNotFound:
        return int(PowerState.NOSTATE)


def has_guest(host: ComputeHost, instance: Any) -> bool:
    """Whether the hypervisor has a guest of the instance; raises HypervisorUnavailable."""
    try:
        host.driver.state(instance)
    except errors.InstanceNotFound:
        return False
    return True


def shutdown_timing(host: ComputeHost, instance: Any, clean_shutdown: bool) -> tuple[int, int]:
    """How long a guest may take to shut down, and how often it is asked, both in seconds.

    An image may name its own time (os_shutdown_timeout).
    """
    if not clean_shutdown:
        return 0, 0
    timeout = host.conf.shutdown_timeout
    own = instance.system_metadata.get("image_os_shutdown_timeout")
    if own is not None:
        try:
            timeout = int(own)
        except ValueError:
            LOG.warning("Instance %s: its image names %r as shutdown timeout", instance.uuid, own)
    return timeout, host.conf.compute.shutdown_retry_interval


def power_off(host: ComputeHost, instance: Any, *, clean_shutdown: bool) -> None:
    """Stop the guest, politely first if it may take its time, and unmount its shares.

    Raises InstanceNotFound, ShareErrorUnexpectedStatus.
    """
    mounted = shares.settled(host, instance._context, instance)
    timeout_seconds, retry_seconds = shutdown_timing(host, instance, clean_shutdown)
    host.driver.power_off(instance, timeout_seconds=timeout_seconds, retry_seconds=retry_seconds)
    shares.put_away(host, instance._context, instance, mounted)


def power_on(host: ComputeHost, context: Any, instance: Any) -> None:
    """Start the guest; when its shares cannot be mounted the instance goes to ERROR."""
    instance.load(*PARTS)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    refresh_if_possible(host, context, instance, bdms)
    network.refresh_if_possible(host, context, instance)
    wanted = shares.settled(host, context, instance)
    try:
        shares.mount(host, context, instance, wanted)
    except Exception:
        set_error(host, instance)
        raise
    accelerated = accelerators.of(host, context, instance)
    host.driver.power_on(context, known_guest(instance, bdms, wanted, accelerated))
    shares.set_status(host, wanted, ShareStatus.ACTIVE)


def stop(host: ComputeHost, context: Any, instance: Any, *, clean_shutdown: bool = True) -> None:
    """The whole of a stop: guest, record, notifications.

    A cast that comes late must not stop a guest that has been started since, nor call a server stopped that
    is off for another reason by now: suspended, shelved, about to be deleted.
    """
    instance.load("system_metadata")
    ordered_as = instance.vm_state
    is_off = power_state(host, instance) in POWERED_OFF
    edge = EDGES["stop_when_off" if is_off else "stop"]
    require(instance, edge.expected)
    if instance.task_state is None and instance.vm_state not in (ordered_as, VmState.STOPPED):
        raise unexpected_task(instance, (TaskState.POWERING_OFF,))
    with announced(host, context, instance, "power_off"):
        power_off(host, instance, clean_shutdown=clean_shutdown)
        advance(host, instance, edge, power_state=power_state(host, instance))


def start(host: ComputeHost, context: Any, instance: Any) -> None:
    """The whole of a start: guest, record, notifications.

    A cast that comes late must not start a guest whose owner has stopped, suspended or deleted it since.
    """
    require(instance, (TaskState.POWERING_ON,), parts=PARTS)
    with announced(host, context, instance, "power_on"):
        power_on(host, context, instance)
        # Unshelving a server that is still on its host is starting it.
        image_id = shelf_marks.unmark(instance)
        advance(host, instance, "start", power_state=power_state(host, instance))
        shelf_marks.remove_image(host, context, image_id)
