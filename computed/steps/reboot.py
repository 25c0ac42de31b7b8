"""The whole of a reboot, soft or hard: guest, record, notifications."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import EDGES, Edge, PowerState, ShareStatus, TaskState, VmState
from computed.steps import accelerators, network, shares
from computed.steps.announce import announce
from computed.steps.faults import record_fault
from computed.steps.guest import PARTS, known_guest
from computed.steps.plugging import awaiting_plugs
from computed.steps.power import power_state
from computed.steps.records import advance, set_error
from computed.steps.volume_refresh import reconcile, refresh_if_possible

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


def _begin(kind: str) -> tuple[TaskState | None, Edge]:
    """Of the two edges on which a reboot begins: the state between them, and both in one save."""
    pending, started = EDGES[f"reboot_{kind}"], EDGES[f"reboot_{kind}_started"]
    return pending.task_state, replace(started, expected=pending.expected)


_BEGIN: Final = {False: _begin("soft"), True: _begin("hard")}


def reboot(host: ComputeHost, context: Any, instance: Any, *, hard: bool) -> None:
    """Restart the guest.

    When that fails and the guest runs all the same, a fault is recorded and the reboot counts as done; when
    it does not run, the instance goes to ERROR and the failure is raised.
    """
    pending, begin = _BEGIN[hard]
    instance.load(*PARTS)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    reconcile(host, context, instance, bdms)
    if hard:
        refresh_if_possible(host, context, instance, bdms)
        network.refresh_if_possible(host, context, instance)
    wanted = shares.settled(host, context, instance)
    before = power_state(host, instance)
    # Who is notified of the start hears of a state that no save of ours brings (contract transcripts).
    was, instance.task_state = instance.task_state, pending
    announce(host, context, instance, "reboot", "start", bdms=bdms)
    instance.task_state = was
    advance(host, instance, begin, power_state=before)
    if before != PowerState.RUNNING:
        LOG.warning("Instance %s is rebooted though it does not run", instance.uuid)
    after = VmState.RESCUED if instance.vm_state == VmState.RESCUED else VmState.ACTIVE
    try:
        if hard:
            shares.mount(host, context, instance, wanted)
        spec = known_guest(instance, bdms, wanted, accelerators.of(host, context, instance))
        _reboot_guest(host, context, spec, hard=hard)
        shares.set_status(host, wanted, ShareStatus.ACTIVE)
    except Exception as error:
        _survive(host, context, instance, error, bdms)
    try:
        advance(host, instance, "reboot_done", vm_state=after, power_state=power_state(host, instance))
    except errors.InstanceNotFound:
        LOG.warning("Instance %s is gone before its reboot ended", instance.uuid)
    announce(host, context, instance, "reboot", "end", bdms=bdms)


def _reboot_guest(host: ComputeHost, context: Any, spec: GuestSpec, *, hard: bool) -> None:
    types = host.conf.workarounds.wait_for_vif_plugged_event_during_hard_reboot
    if not (hard and types):
        host.driver.reboot(context.elevated(), spec, hard=hard)
        return
    with awaiting_plugs(host, spec.instance) as plugging:
        host.driver.reboot(context.elevated(), plugging.ordered_anew(spec, types), hard=hard)
        plugging.wait()


def _survive(host: ComputeHost, context: Any, instance: Any, error: Exception, bdms: Any) -> None:
    """Return if the guest runs in spite of `error`, else raise it."""
    if power_state(host, instance) != PowerState.RUNNING:
        set_error(host, instance)
        raise error
    LOG.warning("Instance %s runs, but its reboot failed", instance.uuid, exc_info=error)
    record_fault(host, context, instance, error)
    announce(host, context, instance, "reboot", "error", exception=error, bdms=bdms)
