"""One instance and what a restart does about it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import timeutils

from computed import errors, objects
from computed.operations.recover.second_look import SecondLook
from computed.operations.recover.table import Remedy, Row, decide, settled
from computed.states import POWERED_OFF, SOFT_REBOOT_STATES, PowerState, TaskState, VmState
from computed.steps import (
    interrupted_departures,
    interrupted_resizes,
    network,
    power_sync,
    shares,
    shelf_marks,
    suspension,
    volume_refresh,
)
from computed.steps.faults import record_fault
from computed.steps.guest import known_guest
from computed.steps.handover import finish_interrupted
from computed.steps.power import power_state
from computed.steps.records import save, set_error

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """The start of the service, as the lanes see it."""

    host: ComputeHost
    context: RequestContext
    second_look: SecondLook
    is_over: threading.Event = field(default_factory=threading.Event)
    """Set when the service serves: what was read of an instance may be old then."""


_RESUMABLE: Final = (Remedy.KEEP, Remedy.CLEAR, Remedy.SETTLE, Remedy.END_RESIZE)
# To start a suspended one would cost it the memory that it has put away.
_NEVER_RESUMED: Final = (VmState.ERROR, VmState.SOFT_DELETED, VmState.SUSPENDED)


def wants_recovery(host: ComputeHost, instance: Any, guest: int | None) -> bool:
    """Whether a restart has anything to do about the instance; `guest` is its power state, None: absent.

    Raises ValueError when the record has a state that nobody knows.
    """
    if _row(instance, guest).remedy is not Remedy.KEEP:
        return True
    return _wants_resume(host, instance, guest) or _wants_power_state(instance, guest)


def recover(start: Start, instance: Any, guest: int | None) -> None:
    """Do what the table says about the instance. Whatever fails is logged and ends here."""
    in_lane(start, instance, lambda: _recover(start.host, start.context, instance, guest))


def end_build(start: Start, instance: Any) -> None:
    """Put an instance into error whose build no host has accepted; one that was to be unshelved is offloaded
    as before. Whatever fails is logged and ends here."""
    if instance.vm_state == VmState.SHELVED_OFFLOADED:
        in_lane(start, instance, lambda: _stay_offloaded(start.host, start.context, instance))
        return
    why = "its build was interrupted"
    in_lane(start, instance, lambda: fail(start.host, start.context, instance, why))


def _stay_offloaded(host: ComputeHost, context: RequestContext, instance: Any) -> None:
    LOG.warning("Instance %s was to be unshelved here and is not: it can be unshelved again", instance.uuid)
    instance.task_state = None
    save(host, instance, expected=[TaskState.UNSHELVING])
    host.placement.delete_allocations(context, instance.uuid)


def in_lane(start: Start, instance: Any, work: Callable[[], None], *, reads_anew: bool = False) -> None:
    """Do `work` while nobody else works on the instance, unless it has become somebody else's.

    Work that `reads_anew` what it goes by finds that out itself.
    """
    host = start.host
    start.context.update_store()
    with host.locks.hold(instance.uuid):
        try:
            is_old = start.is_over.is_set() and not reads_anew and _has_changed(instance)
            if host.stopping.is_set() or is_old:
                LOG.info("Instance %s is not recovered any more", instance.uuid)
            else:
                work()
        except errors.InstanceNotFound:
            LOG.info("Instance %s is gone", instance.uuid)
        except errors.UnexpectedTaskStateError as error:
            LOG.info("Instance %s is in other hands: %s", instance.uuid, error.format_message())
        except Exception:
            LOG.exception("Instance %s could not be recovered", instance.uuid)


def _has_changed(instance: Any) -> bool:
    names = ("vm_state", "task_state", "host", "updated_at")
    before = [getattr(instance, name) for name in names]
    instance.refresh()
    return before != [getattr(instance, name) for name in names]


def _recover(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    is_suspending = (instance.vm_state, instance.task_state) == (VmState.ACTIVE, TaskState.SUSPENDING)
    if is_suspending and guest is not None:
        guest = suspension.outcome(host, instance, guest)
        if host.stopping.is_set():
            # Perhaps it was not waited for to the end: the next agent does.
            return
    row = _row(instance, guest)
    if _wants_resume(host, instance, guest):
        guest = _resume(host, context, instance)
        if guest is None:
            return
        row = _row(instance, guest)
    if row.remedy is not Remedy.KEEP:
        LOG.warning(
            "Instance %s was found %s/%s: %s, so %s",
            instance.uuid,
            instance.vm_state,
            instance.task_state,
            row.why,
            row.remedy.value,
        )
    if row.remedy is Remedy.FAIL:
        fail(host, context, instance, row.why, guest)
    else:
        _REMEDIES[row.remedy](host, context, instance, guest)


def _row(instance: Any, guest: int | None) -> Row:
    task_state = TaskState(instance.task_state) if instance.task_state else None
    return decide(VmState(instance.vm_state), task_state, _as_power_state(guest))


def _as_power_state(guest: int | None) -> PowerState | None:
    return None if guest is None else PowerState(guest)


def _wants_power_state(instance: Any, guest: int | None) -> bool:
    """Whether the record has a wrong power state and nothing else is wrong. That of a guest which is not
    there is left alone, and where the guest must be stopped the power sync sees to it."""
    return (
        guest is not None
        and instance.power_state != guest
        and power_sync.remedy(instance.vm_state, guest) is not power_sync.Remedy.STOP
    )


def _wants_resume(host: ComputeHost, instance: Any, guest: int | None) -> bool:
    """Whether the guest ran when the host went down and is to run again."""
    return (
        host.conf.resume_guests_state_on_host_boot
        and instance.power_state == PowerState.RUNNING
        and (guest is None or guest in POWERED_OFF)
        and instance.vm_state not in _NEVER_RESUMED
        and _row(instance, guest).remedy in _RESUMABLE
    )


def _resume(host: ComputeHost, context: RequestContext, instance: Any) -> int | None:
    """Start the guest of a host that has come back; its power state, or None after a failure."""
    LOG.info("Instance %s ran when its host went down: it is started again", instance.uuid)
    try:
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
        wanted = shares.settled(host, context, instance)
        shares.mount(host, context, instance, wanted)
        host.driver.reboot(context, known_guest(instance, bdms, wanted), hard=True)
        return power_state(host, instance)
    except Exception as error:
        LOG.exception("Instance %s could not be started again", instance.uuid)
        record_fault(host, context, instance, error)
        set_error(host, instance, clear_task_state=True)
        return None


def _keep(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    if guest is not None and _wants_power_state(instance, guest):
        instance.power_state = guest
        instance.save(expected_task_state=[None])


def _clear(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    was = instance.task_state
    instance.task_state = None
    if guest is not None:
        instance.power_state = guest
    save(host, instance, expected=[was])


def _settle(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    instance.vm_state = settled(VmState(instance.vm_state), _as_power_state(guest))
    _clear(host, context, instance, guest)


def _settle_rescue(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    try:
        is_rescued = host.driver.is_rescued(instance)
    except NotImplementedError:
        fail(host, context, instance, "its rescue, or the end of it, was interrupted", guest)
        return
    before = VmState.ACTIVE if instance.vm_state == VmState.RESCUED else VmState(instance.vm_state)
    instance.vm_state = VmState.RESCUED if is_rescued else settled(before, _as_power_state(guest))
    _clear(host, context, instance, guest)


def _finish_unshelve(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    # Its volumes may not have been told that the guest has them, nor its record where its ports are now.
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    volume_refresh.refresh_if_possible(host, context, instance, bdms)
    network.refresh_if_possible(host, context, instance)
    image_id = shelf_marks.unmark(instance)
    instance.vm_state = VmState.ACTIVE
    instance.launched_at = timeutils.utcnow(with_timezone=True)
    _clear(host, context, instance, guest)
    shelf_marks.remove_image(host, context, image_id)


def _offload(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    was, instance.task_state = instance.task_state, TaskState.SHELVING_OFFLOADING
    save(host, instance, expected=[was])
    host.own_calls(
        "shelve_offload_instance", context, instance=instance, clean_shutdown=False, accel_uuids=[]
    )


def fail(
    host: ComputeHost, context: RequestContext, instance: Any, why: str, guest: int | None = None
) -> None:
    error = errors.Interrupted(f"{why}: the compute service on {host.name} restarted")
    record_fault(host, context, instance, error)
    if guest is not None:
        instance.power_state = guest
    set_error(host, instance, clear_task_state=True)


def _end_migration(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    interrupted_departures.end(host, context, instance)
    _clear(host, context, instance, guest)


def _finish_migration(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    if not finish_interrupted(host, context, instance):
        fail(host, context, instance, "its guest may be on another host")


def _end_resize(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    interrupted_resizes.end(host, context, instance)
    _clear(host, context, instance, guest)


def _put_back(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    try:
        interrupted_resizes.put_back(host, context, instance, guest)
    except (errors.InstanceNotFound, errors.UnexpectedTaskStateError):
        raise
    except Exception:
        LOG.exception("The guest of instance %s could not be made again", instance.uuid)
        fail(host, context, instance, "its resize was interrupted", guest)


def _go_on(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    if not interrupted_resizes.go_on(host, context, instance):
        fail(host, context, instance, "its resize was interrupted", guest)


def _delete(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    host.own_calls("terminate_instance", context, instance=instance, bdms=None)


def _stop(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    host.own_calls("stop_instance", context, instance=instance, clean_shutdown=True)


def _start(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    host.own_calls("start_instance", context, instance=instance)


def _restore(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    host.own_calls("restore_instance", context, instance=instance)


def _reboot_softly(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    _reboot(host, context, instance, "SOFT")


def _reboot_hard(host: ComputeHost, context: RequestContext, instance: Any, guest: int | None) -> None:
    if instance.task_state in SOFT_REBOOT_STATES:
        # A soft reboot that has become a hard one walks the edges of the hard one.
        was, instance.task_state = instance.task_state, TaskState.REBOOT_PENDING_HARD
        save(host, instance, expected=[was])
    _reboot(host, context, instance, "HARD")


def _reboot(host: ComputeHost, context: RequestContext, instance: Any, kind: str) -> None:
    host.own_calls("reboot_instance", context, instance=instance, block_device_info=None, reboot_type=kind)


_Apply = Callable[["ComputeHost", "RequestContext", Any, "int | None"], None]
_REMEDIES: Final[Mapping[Remedy, _Apply]] = {
    Remedy.KEEP: _keep,
    Remedy.CLEAR: _clear,
    Remedy.SETTLE: _settle,
    Remedy.DELETE: _delete,
    Remedy.STOP: _stop,
    Remedy.START: _start,
    Remedy.RESTORE: _restore,
    Remedy.REBOOT_SOFT: _reboot_softly,
    Remedy.REBOOT_HARD: _reboot_hard,
    Remedy.RESCUE: _settle_rescue,
    Remedy.FINISH_UNSHELVE: _finish_unshelve,
    Remedy.OFFLOAD: _offload,
    Remedy.END_RESIZE: _end_resize,
    Remedy.PUT_BACK: _put_back,
    Remedy.GO_ON: _go_on,
    Remedy.END_MIGRATION: _end_migration,
    Remedy.FINISH_MIGRATION: _finish_migration,
}
