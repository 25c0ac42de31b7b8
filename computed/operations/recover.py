"""The restart: every instance of this host is brought back to a state that its owner can work with."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import SOFT_REBOOT_STATES, Edge, PowerState, TaskState, VmState
from computed.steps import power, power_sync, reboot, removal
from computed.steps.action_events import action_event
from computed.steps.announce import announce
from computed.steps.faults import record_fault
from computed.steps.guest import PARTS, known_guest
from computed.steps.records import advance, destroy, set_error
from computed.steps.recovery_plan import Action, Found, plan

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost
    from computed.virt.specs import GuestState, LifecycleEvent

LOG = logging.getLogger(__name__)

_LANES: Final = 8
_BINARY: Final = "nova-compute"

Do = Callable[["ComputeHost", Any, Any], None]


def init_host(host: ComputeHost, context: RequestContext) -> None:
    """Recover the instances of this host, several at a time; one that cannot be recovered stops nobody.

    The conductor is asked a fixed number of times, and more only for instances that need something done.
    """
    instances = objects.InstanceList.get_by_host(context, host.name, expected_attrs=[*PARTS, "numa_topology"])
    guests = _guests(host)
    _listen(host, context)
    up_until = _last_seen_up(host, context)
    with ThreadPoolExecutor(_LANES, thread_name_prefix="recover") as lanes:
        for instance in instances:
            actions = plan(_found(host, instance, guests, up_until))
            if actions != (Action.LEAVE,):
                lanes.submit(_recover, host, context, instance, actions)
    _fail_unclaimed_builds(host, context, {instance.uuid for instance in instances}, up_until)
    if instances:
        host.scheduler.update_instance_info(context, instances)


def _guests(host: ComputeHost) -> Mapping[str, GuestState] | None:
    """Every guest of the host, or None when the hypervisor cannot be asked."""
    try:
        return host.driver.states()
    except errors.HypervisorUnavailable as error:
        LOG.error("The hypervisor cannot be asked, so nothing is done that depends on a guest: %s", error)
        return None


def _listen(host: ComputeHost, context: Any) -> None:
    if host.conf.workarounds.handle_virt_lifecycle_events:
        host.driver.on_lifecycle_event(partial(_on_lifecycle_event, host, context))
    else:
        LOG.info("Guests that change by themselves are noticed by the periodic power sync only")


def _on_lifecycle_event(host: ComputeHost, context: Any, event: LifecycleEvent) -> None:
    """A guest changed without being asked to: look at it now instead of at the next power sync."""
    LOG.info("Guest %s: %s", event.uuid, event.name)
    try:
        instance = objects.Instance.get_by_uuid(context, event.uuid, expected_attrs=[])
        power_sync.sync(host, context, instance)
    except errors.InstanceNotFound:
        LOG.debug("Guest %s has no instance any more", event.uuid)
    except Exception:
        LOG.exception("Instance %s was not brought in line with its guest", event.uuid)


def _last_seen_up(host: ComputeHost, context: Any) -> datetime.datetime | None:
    """Until when this service certainly took messages; None when that is not known."""
    service = objects.Service.get_by_host_and_binary(context, host.name, _BINARY)
    return service.last_seen_up if service is not None else None


def _found(
    host: ComputeHost,
    instance: Any,
    guests: Mapping[str, GuestState] | None,
    up_until: datetime.datetime | None,
) -> Found:
    guest = None
    if guests is not None:
        known = guests.get(instance.uuid)
        guest = known.power_state if known is not None else int(PowerState.NOSTATE)
    return Found(
        vm_state=instance.vm_state,
        task_state=instance.task_state,
        power_state=instance.power_state,
        guest=guest,
        was_interrupted=_was_interrupted(instance, up_until),
        may_resume=host.conf.resume_guests_state_on_host_boot,
    )


def _was_interrupted(instance: Any, up_until: datetime.datetime | None) -> bool:
    """Whether the agent was up after the record last changed, and so must have got the order."""
    changed = instance.updated_at or instance.created_at
    return up_until is None or changed is None or bool(changed <= up_until)


def _recover(host: ComputeHost, context: Any, instance: Any, actions: tuple[Action, ...]) -> None:
    """One instance in its own lane."""
    LOG.info(
        "Instance %s (%s, %s) after the restart: %s",
        instance.uuid,
        instance.vm_state,
        instance.task_state,
        ", ".join(action.name for action in actions),
    )
    try:
        with host.locks.hold(instance.uuid):
            for action in actions:
                _DO[action](host, context, instance)
    except errors.InstanceNotFound:
        LOG.info("Instance %s is gone", instance.uuid)
    except Exception:
        LOG.exception("Instance %s could not be recovered", instance.uuid)


def _finish_deleted(host: ComputeHost, context: Any, instance: Any) -> None:
    removal.release(host, context, instance)
    destroy(host, instance)
    announce(host, context, instance, "delete", "end")


def _fail(host: ComputeHost, context: Any, instance: Any, *, what: str) -> None:
    error = errors.InstanceDeployFailure(reason=f"{what} was interrupted by a restart of the compute service")
    record_fault(context, host.name, instance, error)
    set_error(host, instance, clear_task_state=True)


def _clear_task(host: ComputeHost, context: Any, instance: Any) -> None:
    advance(host, instance, Edge((instance.task_state,), None))


def _settle_active(host: ComputeHost, context: Any, instance: Any) -> None:
    advance(host, instance, Edge((instance.task_state,), None, VmState.ACTIVE))


def _delete(host: ComputeHost, context: Any, instance: Any) -> None:
    try:
        removal.delete(host, context, instance, None)
    except errors.InstanceNotFound:
        raise
    except Exception:
        set_error(host, instance)
        raise


def _end_live_migration(host: ComputeHost, context: Any, instance: Any) -> None:
    try:
        migration = objects.Migration.get_by_instance_and_status(context, instance.uuid, "running")
    except errors.MigrationNotFoundByStatus:
        pass
    else:
        migration.status = "error"
        migration.save()
    advance(host, instance, Edge((TaskState.MIGRATING,), None))


def _resume(host: ComputeHost, context: Any, instance: Any) -> None:
    """As with a hard reboot: whatever is left of the guest, it is made anew and runs."""
    try:
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
        host.driver.reboot(context, known_guest(instance, bdms), hard=True)
    except Exception as error:
        record_fault(context, host.name, instance, error)
        set_error(host, instance)
        raise


def _stop(host: ComputeHost, context: Any, instance: Any) -> None:
    with _taken_up(host, context, instance, "compute_stop_instance"):
        power.stop(host, context, instance)


def _start(host: ComputeHost, context: Any, instance: Any) -> None:
    with _taken_up(host, context, instance, "compute_start_instance"):
        power.start(host, context, instance)


def _reboot(host: ComputeHost, context: Any, instance: Any, *, hard: bool) -> None:
    if hard and instance.task_state in SOFT_REBOOT_STATES:
        advance(host, instance, Edge((), TaskState.REBOOT_PENDING_HARD))
    with _taken_up(host, context, instance, "compute_reboot_instance"):
        reboot.reboot(host, context, instance, hard=hard)


@contextmanager
def _taken_up(host: ComputeHost, context: Any, instance: Any, event: str) -> Iterator[None]:
    """A verb that is finished now: its event, and if it fails its fault and the end of its task state."""
    try:
        with action_event(context, host.name, event, instance.uuid):
            yield
    except errors.UnexpectedTaskStateError:
        raise
    except Exception as error:
        record_fault(context, host.name, instance, error)
        if instance.task_state is not None:
            _clear_task(host, context, instance)
        raise


def _fail_unclaimed_builds(
    host: ComputeHost, context: Any, handled: set[str], up_until: datetime.datetime | None
) -> None:
    """End builds that placement counts on our nodes and that had not got a host when we went down.

    One whose order came after we were last seen is still in the queue, and will be built.
    """
    for name, uuid in host.driver.node_uuids().items():
        try:
            consumers = set(host.placement.provider_allocations(context, uuid).consumers) - handled
            filters = {"vm_state": str(VmState.BUILDING), "uuid": sorted(consumers)}
            waiting = (
                objects.InstanceList.get_by_filters(context, filters, expected_attrs=[]) if consumers else ()
            )
        except errors.ResourceProviderNotFound:
            continue
        except Exception as error:
            LOG.error("Node %s: builds that were interrupted before their claim stay: %s", name, error)
            continue
        for instance in waiting:
            if not instance.host and _was_interrupted(instance, up_until):
                _recover(host, context, instance, (Action.FAIL_BUILD,))


_DO: Final[Mapping[Action, Do]] = {
    Action.FINISH_DELETED: _finish_deleted,
    Action.FAIL_BUILD: partial(_fail, what="the build"),
    Action.FAIL_REBUILD: partial(_fail, what="the rebuild"),
    Action.CLEAR_TASK: _clear_task,
    Action.SETTLE_ACTIVE: _settle_active,
    Action.DELETE: _delete,
    Action.REBOOT_SOFT: partial(_reboot, hard=False),
    Action.REBOOT_HARD: partial(_reboot, hard=True),
    Action.STOP: _stop,
    Action.START: _start,
    Action.END_LIVE_MIGRATION: _end_live_migration,
    Action.RESUME: _resume,
}
