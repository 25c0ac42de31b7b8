"""The end of a build that failed, once all it did has been taken back: error, another host, nothing."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.states import TaskState
from computed.steps import accelerators
from computed.steps.build_order import BuildOrder
from computed.steps.build_verdict import Stage, Verdict, judge
from computed.steps.failure_lines import tell
from computed.steps.faults import record_fault
from computed.steps.patience import patiently
from computed.steps.records import forget_host, is_gone, save, set_error
from computed.steps.removal import publish
from computed.steps.volume_detach import give_up

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


class FailedBuild:
    """One failed build and what is done about it."""

    def __init__(self, host: ComputeHost, context: Any, order: BuildOrder) -> None:
        self.host = host
        self.context = context
        self.order = order
        self.instance = order.instance

    def verdict(self, error: Exception, stage: Stage) -> Verdict:
        """The verdict on `error` at `stage`; the record is asked whether the instance is really gone."""
        verdict = judge(error, stage)
        if verdict is Verdict.GONE and not is_gone(self.context, self.instance, error):
            return Verdict.ABORT
        return verdict

    def stay(self, error: Exception, stage: Stage) -> None:
        """End in error on this host, because the guest could not be taken away: whoever deletes the instance
        does so with all that it holds."""
        remedy = "mend the cause and delete the instance: its guest could not be taken away"
        tell(self._what, stage.name.lower(), error, remedy)
        publish(self.host, self.context, self.order.nodename)
        record_fault(self.host, self.context, self.instance, self._aborted(error))
        set_error(self.host, self.instance, clear_task_state=True)
        self._count()

    def settle(self, error: Exception, stage: Stage, verdict: Verdict, *, is_clean: bool) -> None:
        """Do what the verdict says; `is_clean` when everything could be taken back."""
        if verdict in (Verdict.RESCHEDULE, Verdict.RESCHEDULE_BY_POLICY) and not is_clean:
            LOG.warning("Instance %s is not rescheduled: it was not cleaned up here", self.instance.uuid)
            verdict = Verdict.ABORT
        self._log(error, verdict, stage)
        publish(self.host, self.context, self.order.nodename)
        legs: Mapping[Verdict, Callable[[Exception], None]] = {
            Verdict.GONE: lambda error: self._give_up(),
            Verdict.STALE: lambda error: None,
            Verdict.ABORT: self._end_in_error,
            Verdict.RESCHEDULE: self._send_elsewhere,
            Verdict.RESCHEDULE_BY_POLICY: self._send_elsewhere,
        }
        legs[verdict](error)
        if verdict in (Verdict.ABORT, Verdict.RESCHEDULE):
            self._count()

    def _count(self) -> None:
        """Let the schedulers know of a host where builds fail."""
        if self.host.conf.compute.consecutive_build_service_disable_threshold > 0:
            self.host.tracker.build_failed(self.order.nodename)

    def _log(self, error: Exception, verdict: Verdict, stage: Stage) -> None:
        if verdict in (Verdict.GONE, Verdict.STALE):
            LOG.info("The build of instance %s ends: %s", self.instance.uuid, errors.fault_message(error))
            return
        is_last = verdict is Verdict.ABORT or not self.order.filter_properties.get("retry")
        remedy = (
            "mend the cause, delete the instance and order it anew" if is_last else "it is tried elsewhere"
        )
        tell(self._what, stage.name.lower(), error, remedy)

    @property
    def _what(self) -> str:
        return f"The build of instance {self.instance.uuid}"

    def _aborted(self, error: Exception) -> Exception:
        """As the fault of a build that ends here has it."""
        if isinstance(error, errors.BuildAbortException):
            return error
        reason = errors.fault_message(error)
        aborted = errors.BuildAbortException(instance_uuid=self.instance.uuid, reason=reason)
        aborted.__cause__ = error
        return aborted

    def _end_in_error(self, error: Exception) -> None:
        aborted = self._aborted(error)
        self._give_up()
        record_fault(self.host, self.context, self.instance, aborted)
        forget_host(self.instance)
        set_error(self.host, self.instance, clear_task_state=True)

    def _give_up(self) -> None:
        """No guest uses its volumes and allocations any more, and without a host nobody else would."""
        give_up(self.host, self.context, self.instance, self.order.bdms)
        self._give_up_accelerators()
        self._give_up_allocations()

    def _give_up_accelerators(self) -> None:
        """The conductor has ordered them for this host, also when the build never came to ask for them."""
        if self.order.accel_uuids:
            accelerators.release(self.host, self.context, self.instance, self.order.accel_uuids)

    def _give_up_allocations(self) -> None:
        try:
            self.host.placement.delete_allocations(self.context, self.instance.uuid)
        except errors.NovaException as failure:
            LOG.warning("Instance %s keeps its allocations: %s", self.instance.uuid, failure)

    def _send_elsewhere(self, error: Exception) -> None:
        """Hand the build back to the conductor, if it may be tried again, else end it."""
        retry = self.order.filter_properties.get("retry")
        if not retry:
            self._end_in_error(error)
            return
        retry["exc"] = traceback.format_exception(error)
        retry["exc_reason"] = errors.fault_message(error)
        forget_host(self.instance)
        self.instance.task_state = TaskState.SCHEDULING
        try:
            save(self.host, self.instance)
            self._give_up_accelerators()
            self._give_up_allocations()
            self._cast_build()
        except errors.InstanceNotFound:
            LOG.info("Instance %s is gone before it could be rescheduled", self.instance.uuid)
            self._give_up()
        except errors.ConductorUnavailable as failure:
            self._end_in_error(failure)

    def _cast_build(self) -> None:
        order = self.order

        def attempt(is_repeated: bool) -> None:
            self.host.compute_tasks.build_instances(
                self.context,
                instances=[order.instance],
                image=dict(order.image),
                filter_properties=order.filter_properties,
                admin_password=order.admin_password,
                injected_files=list(order.injected_files),
                requested_networks=order.requested_networks,
                security_groups=list(order.security_groups),
                request_spec=order.request_spec,
                host_lists=[order.host_list],
            )

        patiently(f"Rescheduling instance {self.instance.uuid}", attempt, stopping=self.host.stopping)
