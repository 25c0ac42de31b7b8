"""What a user may do with servers: the part of nova-api that a one-host cloud needs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from computed import errors, objects
from computed.context import RequestContext
from computed.embedded.conductor import actions, instances
from computed.embedded.conductor.calls import ClassCall, ObjectCall, complete
from computed.embedded.conductor.primitives import list_envelope
from computed.embedded.launch import ComputeCalls, Launcher, instance_of_record
from computed.embedded.new_server import NewServer, disks_of, instance_of, networks_of, request_spec_of
from computed.embedded.scheduler import OneHostScheduler
from computed.embedded.store import Fields, Records, Store
from computed.lib.uuids import is_uuid
from computed.states import Action, TaskState, VmState

LOG = logging.getLogger(__name__)

OWNER = "alone"
_REBOOTABLE = (VmState.ACTIVE,)
_HARD_REBOOTABLE = (VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED, VmState.ERROR)


def user_context() -> RequestContext:
    """A new request of the one user of this cloud, who owns every server in it."""
    return RequestContext(
        user_id=OWNER, project_id=OWNER, is_admin=True, roles=["admin", "member", "reader"], overwrite=False
    )


class Servers:
    """Servers by id or name: raises InstanceNotFound, NoUniqueMatch, InstanceInvalidState."""

    def __init__(
        self,
        store: Store,
        scheduler: OneHostScheduler,
        launcher: Launcher,
        computes: ComputeCalls,
        network: Any,
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._launcher = launcher
        self._computes = computes
        self._network = network

    def create(self, context: Any, order: NewServer) -> str:
        """Record a server, find room for it and have it built; returns its id.

        A server for which there is no room ends in ERROR. Raises FlavorMemoryTooSmall, FlavorDiskTooSmall.
        """
        order.check()
        instance = instance_of(order, context)
        spec = request_spec_of(instance, order)
        with self._store.transaction() as records:
            self._record(context, records, instance, spec, order)
        build = {
            "image": dict(order.image),
            "request_spec": spec.obj_to_primitive(),
            "filter_properties": {},
            "admin_password": None,
            "injected_files": [],
            "requested_networks": networks_of(order).obj_to_primitive(),
            "security_groups": ["default"],
        }
        try:
            selections = self._scheduler.select(context, spec)
            self._launcher.send(context, instance.uuid, selections, build)
        except errors.InstanceNotFound:
            LOG.info("Instance %s was deleted before it was built", instance.uuid)
            self._scheduler.release(context, instance.uuid)
        except Exception as error:
            self._launcher.give_up(context, instance.uuid, error)
        return str(instance.uuid)

    @staticmethod
    def _record(context: Any, records: Records, instance: Any, spec: Any, order: NewServer) -> None:
        call = ObjectCall.of(context, records, instance.obj_to_primitive())
        instances.create(call)
        for disk in disks_of(instance, order.volumes):
            disk_fields = ObjectCall.of(context, records, disk.obj_to_primitive()).changed()
            records.insert("BlockDeviceMapping", complete("BlockDeviceMapping", disk_fields))
        spec_call = ObjectCall.of(context, records, spec.obj_to_primitive())
        records.insert("RequestSpec", spec_call.changed())
        actions.action_start(call, instance.uuid, Action.CREATE)

    def rows(self) -> list[Fields]:
        """The records of every server that is not deleted, oldest first."""
        with self._store.transaction() as records:
            return records.find("Instance")

    def find(self, wanted: str) -> Fields:
        """The record of the server of that id or name; raises NoUniqueMatch when the name fits several."""
        with self._store.transaction() as records:
            return _find(records, wanted)

    def stop(self, context: Any, wanted: str) -> None:
        """Have a server stopped: its guest is asked first."""
        allowed = (VmState.ACTIVE, VmState.ERROR)
        host, instance = self._begin(context, wanted, Action.STOP, TaskState.POWERING_OFF, allowed)
        self._computes.cast(context, host, "stop_instance", instance=instance, clean_shutdown=True)

    def start(self, context: Any, wanted: str) -> None:
        """Have a stopped server started."""
        allowed = (VmState.STOPPED,)
        host, instance = self._begin(context, wanted, Action.START, TaskState.POWERING_ON, allowed)
        self._computes.cast(context, host, "start_instance", instance=instance)

    def reboot(self, context: Any, wanted: str, *, hard: bool) -> None:
        """Have a server restarted."""
        task = TaskState.REBOOTING_HARD if hard else TaskState.REBOOTING
        allowed = _HARD_REBOOTABLE if hard else _REBOOTABLE
        host, instance = self._begin(context, wanted, Action.REBOOT, task, allowed)
        kind = "HARD" if hard else "SOFT"
        self._computes.cast(
            context, host, "reboot_instance", instance=instance, block_device_info=None, reboot_type=kind
        )

    def console(self, context: Any, wanted: str, lines: int | None) -> str:
        """The console log of a server, or its last lines; raises InstanceNotReady before it is built."""
        row = self.find(wanted)
        if not row["host"]:
            raise errors.InstanceNotReady(instance_id=row["uuid"])
        with self._store.transaction() as records:
            instance = instance_of_record(records, row["uuid"])
        text: str = self._computes.call(
            context, row["host"], "get_console_output", instance=instance, tail_length=lines
        )
        return text

    def delete(self, context: Any, wanted: str) -> None:
        """Have a server deleted; one that no node has is gone when this returns."""
        with self._store.transaction() as records:
            row = _find(records, wanted)
            actions.action_start(ClassCall(context, records), row["uuid"], Action.DELETE)
            row = records.update("Instance", row, {"task_state": TaskState.DELETING, "progress": 0})
            instance = instance_of_record(records, row["uuid"])
            disks = records.find("BlockDeviceMapping", instance_uuid=row["uuid"])
            if not row["host"]:
                instances.destroy(ObjectCall.of(context, records, instance))
        if row["host"]:
            bdms = list_envelope("BlockDeviceMappingList", "BlockDeviceMapping", disks)
            self._computes.cast(context, row["host"], "terminate_instance", instance=instance, bdms=bdms)
        else:
            self._network.deallocate(context, objects.Instance(uuid=row["uuid"]))
            self._scheduler.release(context, row["uuid"])

    def _begin(
        self, context: Any, wanted: str, action: Action, task: TaskState, allowed: tuple[VmState, ...]
    ) -> tuple[str, dict[str, Any]]:
        """Set the task state and record the action; the host and the instance for the message to it."""
        with self._store.transaction() as records:
            row = _find(records, wanted)
            _require(row, action, task, allowed)
            records.update("Instance", row, {"task_state": task})
            actions.action_start(ClassCall(context, records), row["uuid"], action)
            return row["host"], instance_of_record(records, row["uuid"])


def _find(records: Records, wanted: str) -> Fields:
    row = records.first("Instance", uuid=wanted) if is_uuid(wanted) else None
    if row is not None:
        return row
    named = records.find("Instance", display_name=wanted)
    if len(named) > 1:
        raise errors.NoUniqueMatch(f"{len(named)} servers are called {wanted}: use the id")
    if not named:
        raise errors.InstanceNotFound(instance_id=wanted)
    return named[0]


def _require(row: Mapping[str, Any], action: Action, task: TaskState, allowed: tuple[VmState, ...]) -> None:
    """Raise InstanceInvalidState unless the server may begin the task, as nova-api judges it."""
    repeated = task is TaskState.REBOOTING_HARD and row["task_state"] in _REBOOTING
    wrong = None
    if row["vm_state"] not in allowed or not row["host"]:
        wrong = "vm_state"
    elif row["task_state"] is not None and not repeated:
        wrong = "task_state"
    if wrong:
        raise errors.InstanceInvalidState(
            instance_uuid=row["uuid"], attr=wrong, state=row[wrong], method=str(action)
        )


_REBOOTING = frozenset(
    {
        TaskState.REBOOTING,
        TaskState.REBOOT_PENDING,
        TaskState.REBOOT_STARTED,
        TaskState.REBOOTING_HARD,
        TaskState.REBOOT_PENDING_HARD,
        TaskState.REBOOT_STARTED_HARD,
    }
)
"""A hard reboot may interrupt any of these."""
