"""What rebuild and evacuation have in common: how they begin, how they end, and what failures leave."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import timeutils

from computed import errors, objects
from computed.lib.undo import UndoStack
from computed.notifications.notifier import FormerImage
from computed.operations.rebuild.order import RebuildOrder
from computed.states import EDGES, Edge, TaskState, VmState
from computed.steps.announce import announce, announce_exists
from computed.steps.guest import PARTS, image_meta_of, settle_config_drive
from computed.steps.power import power_state
from computed.steps.records import advance, is_gone, set_error

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_NO_ROOM: Final = (errors.ComputeResourcesUnavailable, errors.GroupAffinityViolation)
# Without volumes there is nothing between the first state and the last.
_SPAWNING: Final = replace(
    EDGES["rebuild_spawning"], expected=(TaskState.REBUILDING, TaskState.REBUILD_BLOCK_DEVICE_MAPPING)
)
# A server that was stopped is stopped again, and nobody may come in between.
_DONE_THEN_STOP: Final = Edge((TaskState.REBUILD_SPAWNING,), TaskState.POWERING_OFF, VmState.ACTIVE)


class Attempt:
    """One rebuild: its steps in order, each with its undo. The caller holds the instance's lock."""

    def __init__(self, host: ComputeHost, context: Any, order: RebuildOrder) -> None:
        self.host = host
        self.context = context
        self.order = order
        self.instance = order.instance
        self.bdms = order.bdms
        self.image: Mapping[str, Any] = {}
        self.image_meta: Any = None
        self.state_wanted: str = order.instance.vm_state
        self.is_harmless = True
        """Whether a failure now leaves the server as it was; else it ends in ERROR."""
        self.undo = UndoStack()

    def run(self) -> None:
        """Rebuild; see rebuild_instance for what is raised."""
        self.instance.load(*PARTS)
        vm_state = self.instance.vm_state
        try:
            self._begin()
        except errors.UnexpectedTaskStateError as error:
            if is_gone(self.context, self.instance, error):
                self._end_of_the_deleted(error)
                return
            # This order has come twice or too late, and the server is not its own.
            self._give_back_unbegun()
            raise
        except Exception as error:
            self._fail(error, vm_state)
            return
        try:
            network_info = self._steps()
        except Exception as error:
            self._fail(error, vm_state)
            return
        except BaseException:
            # The thread is being ended: no verdict, but nothing may stay held.
            self.undo.rollback()
            raise
        self.undo.commit()
        self._arrive()
        if self._is_to_stop():
            self._stop()
        records = objects.InstanceList(objects=[self.instance])
        self.host.scheduler.update_instance_info(self.context, records)
        self._announce("end", network_info=network_info, extra=self._image_name())

    # What the two kinds do each in its own way

    def _steps(self) -> Any:
        """The whole way to a running guest and its record; returns its network."""
        raise NotImplementedError

    def _arrive(self) -> None:
        """What is left to do once the record says that the server runs."""

    def _give_back(self) -> None:
        """What a failure gives back besides what the undo stack knows of."""

    def _give_back_unbegun(self) -> None:
        """What was taken for an order that nobody has begun, and nobody will."""

    def _clear_away(self) -> None:
        """Remove what was made for a server that is gone."""

    # What they share

    def _begin(self) -> None:
        """Make sure that the server still waits for this order, before anything is done to it."""
        advance(self.host, self.instance, "rebuild", power_state=power_state(self.host, self.instance))

    def _read_parts(self) -> None:
        """The image and the devices that the guest is made of."""
        if self.order.image_ref:
            self.image = self.host.images.show(self.context, self.order.image_ref)
            self.image_meta = image_meta_of(self.image)
        else:
            self.image_meta = self.instance.image_meta
        if self.bdms is None:
            uuid = self.instance.uuid
            self.bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(self.context, uuid)

    def _refuse_certificates(self) -> None:
        if self.instance.trusted_certs and not self.host.driver.capabilities["supports_trusted_certs"]:
            self._abort("this host cannot check the signatures of images")

    def _abort(self, reason: str) -> None:
        raise errors.BuildAbortException(instance_uuid=self.instance.uuid, reason=reason)

    def _announce_start(self, image_ref: str | None) -> None:
        """Tell what was until now, under the image that it had, and that the rebuild begins."""
        before = FormerImage(image_ref, self.order.orig_system_metadata)
        announce_exists(self.host, self.context, self.instance, before=before)
        self._announce("start", extra=self._image_name())

    def _image_name(self) -> dict[str, str]:
        meta = self.image_meta
        return {"image_name": (meta.name or "") if meta is not None and meta.obj_attr_is_set("name") else ""}

    def _announce(self, phase: str, **details: Any) -> None:
        announce(self.host, self.context, self.instance, "rebuild", phase, bdms=self.bdms, **details)

    def _spawning(self) -> None:
        advance(self.host, self.instance, _SPAWNING)

    def _record_the_end(self) -> None:
        settle_config_drive(self.host, self.instance, self.image_meta)
        if self._is_to_stop():
            self.instance.progress = 0
        advance(
            self.host,
            self.instance,
            _DONE_THEN_STOP if self._is_to_stop() else "rebuild_done",
            power_state=power_state(self.host, self.instance),
            launched_at=timeutils.utcnow(with_timezone=True),
        )

    def _is_to_stop(self) -> bool:
        return self.state_wanted == VmState.STOPPED

    def _stop(self) -> None:
        """Stop it as its owner had; a failure is that of the stop, and recorded as such."""
        LOG.info("Instance %s was stopped before its rebuild, so it is stopped again", self.instance.uuid)
        try:
            self.host.own_calls("stop_instance", self.context, instance=self.instance, clean_shutdown=False)
        except Exception as error:
            LOG.warning("Instance %s is rebuilt but runs on: %s", self.instance.uuid, error)

    # Failures

    def _fail(self, error: Exception, vm_state: str) -> None:
        """Take everything back and raise what the caller is to hear; return when the server is gone."""
        self.undo.rollback()
        if is_gone(self.context, self.instance, error):
            self._end_of_the_deleted(error)
            return
        LOG.error("The rebuild of instance %s fails", self.instance.uuid, exc_info=error)
        self._take_leave(error)
        if self.is_harmless:
            self._restore(vm_state)
        else:
            set_error(self.host, self.instance, clear_task_state=True)
        if isinstance(error, _NO_ROOM):
            reason = errors.fault_message(error)
            raise errors.BuildAbortException(instance_uuid=self.instance.uuid, reason=reason) from error
        raise error

    def _restore(self, vm_state: str) -> None:
        free = Edge((TaskState.REBUILDING,), None)
        try:
            advance(self.host, self.instance, free, vm_state=vm_state)
        except (errors.InstanceNotFound, errors.UnexpectedTaskStateError) as error:
            LOG.info("Instance %s is not freed: %s", self.instance.uuid, errors.fault_message(error))

    def _end_of_the_deleted(self, error: Exception) -> None:
        self._clear_away()
        LOG.info("The rebuild of instance %s ends: %s", self.instance.uuid, errors.fault_message(error))
        self._take_leave(error)

    def _take_leave(self, error: Exception) -> None:
        self._give_back()
        self._announce("error", exception=error)
