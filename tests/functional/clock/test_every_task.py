"""Every task state, with every guest that may be found there: one restart, and nothing is stranded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from computed.states import PowerState, TaskState, VmState
from computed.steps import suspension
from tests.functional.clock.world import World

GUESTS = (PowerState.RUNNING, PowerState.SHUTDOWN, PowerState.PAUSED, PowerState.SUSPENDED, None)

_RUNNING_OR_NOT = (VmState.ACTIVE, VmState.STOPPED)
_SNAPSHOT = (VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED)
_MOVE = _RUNNING_OR_NOT
_ANY = (VmState.ACTIVE, VmState.ERROR, VmState.RESCUED)
_BUILD = (VmState.BUILDING, VmState.ACTIVE)

FOUND_WITH: dict[TaskState, tuple[VmState, ...]] = {
    TaskState.BLOCK_DEVICE_MAPPING: _BUILD,
    TaskState.DELETING: (*_ANY, VmState.BUILDING, VmState.SOFT_DELETED),
    TaskState.IMAGE_BACKUP: _SNAPSHOT,
    TaskState.IMAGE_PENDING_UPLOAD: _SNAPSHOT,
    TaskState.IMAGE_SNAPSHOT: _SNAPSHOT,
    TaskState.IMAGE_SNAPSHOT_PENDING: _SNAPSHOT,
    TaskState.IMAGE_UPLOADING: _SNAPSHOT,
    TaskState.MIGRATING: (VmState.ACTIVE, VmState.PAUSED),
    TaskState.NETWORKING: _BUILD,
    TaskState.PAUSING: (VmState.ACTIVE, VmState.RESCUED),
    TaskState.POWERING_OFF: (*_ANY, VmState.PAUSED),
    TaskState.POWERING_ON: (VmState.STOPPED, VmState.ERROR),
    TaskState.REBOOTING: (VmState.ACTIVE,),
    TaskState.REBOOTING_HARD: (*_SNAPSHOT, VmState.ERROR),
    TaskState.REBOOT_PENDING: (VmState.ACTIVE,),
    TaskState.REBOOT_PENDING_HARD: (*_SNAPSHOT, VmState.ERROR),
    TaskState.REBOOT_STARTED: (VmState.ACTIVE,),
    TaskState.REBOOT_STARTED_HARD: (*_SNAPSHOT, VmState.ERROR),
    TaskState.REBUILDING: (*_RUNNING_OR_NOT, VmState.ERROR),
    TaskState.REBUILD_BLOCK_DEVICE_MAPPING: (*_RUNNING_OR_NOT, VmState.ERROR),
    TaskState.REBUILD_SPAWNING: (*_RUNNING_OR_NOT, VmState.ERROR),
    TaskState.RESCUING: (*_RUNNING_OR_NOT, VmState.ERROR),
    TaskState.RESIZE_CONFIRMING: (VmState.RESIZED,),
    TaskState.RESIZE_FINISH: _MOVE,
    TaskState.RESIZE_MIGRATED: _MOVE,
    TaskState.RESIZE_MIGRATING: _MOVE,
    TaskState.RESIZE_PREP: _MOVE,
    TaskState.RESIZE_REVERTING: (VmState.RESIZED,),
    TaskState.RESTORING: (VmState.SOFT_DELETED,),
    TaskState.RESUMING: (VmState.SUSPENDED,),
    TaskState.SCHEDULING: _BUILD,
    TaskState.SHELVING: _SNAPSHOT,
    TaskState.SHELVING_IMAGE_PENDING_UPLOAD: _SNAPSHOT,
    TaskState.SHELVING_IMAGE_UPLOADING: _SNAPSHOT,
    TaskState.SHELVING_OFFLOADING: (VmState.SHELVED,),
    TaskState.SOFT_DELETING: (*_ANY, VmState.STOPPED),
    TaskState.SPAWNING: (*_BUILD, VmState.SHELVED_OFFLOADED),
    TaskState.SUSPENDING: (VmState.ACTIVE,),
    TaskState.UNPAUSING: (VmState.PAUSED,),
    TaskState.UNRESCUING: (VmState.RESCUED,),
    TaskState.UNSHELVING: (VmState.SHELVED, VmState.SHELVED_OFFLOADED),
    TaskState.UPDATING_PASSWORD: (VmState.ACTIVE,),
}
"""The states of servers to which the API, or a compute, gives each task."""

_TAKES_THE_GUEST = {TaskState.DELETING, TaskState.SHELVING_OFFLOADING, TaskState.SPAWNING}


@dataclass(frozen=True)
class Case:
    vm_state: VmState
    task_state: TaskState
    guest: PowerState | None
    instance: Any

    def __str__(self) -> str:
        return f"{self.vm_state}/{self.task_state}, guest {self.guest!r}"


def test_every_task_state_is_here() -> None:
    assert set(FOUND_WITH) == set(TaskState)
    assert len(FOUND_WITH) == 42


@pytest.mark.parametrize("part", range(6))
def test_nothing_is_stranded(world: World, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sixth of the task states at a time."""
    monkeypatch.setattr(suspension, "LONGEST_SECONDS", 0.0)
    tasks = [task for number, task in enumerate(FOUND_WITH) if number % 6 == part]
    cases = [
        Case(vm_state, task, guest, world.add(vm_state, str(task), guest=guest))
        for task in tasks
        for vm_state, guest in product(FOUND_WITH[task], GUESTS)
    ]
    world.start()
    wrong = [f"{case}: {problem}" for case in cases for problem in problems(world, case)]
    assert wrong == []
    rows = [world.record(case.instance) for case in cases]
    world.start()
    assert [world.record(case.instance) for case in cases] == rows, "a second start changes something"


def problems(world: World, case: Case) -> list[str]:
    """What is not as it must be of a server after the restart."""
    row, guest, faults = world.record(case.instance), world.guest(case.instance), world.faults(case.instance)
    found = []
    if row["task_state"] is not None:
        found.append(f"still {row['task_state']}")
    if (row["vm_state"] == VmState.DELETED) != (case.task_state == TaskState.DELETING):
        found.append(f"is {row['vm_state']}")
    if row["vm_state"] == VmState.BUILDING:
        found.append("still being built")
    is_new_error = row["vm_state"] == VmState.ERROR and case.vm_state != VmState.ERROR
    if is_new_error is not bool(faults) and case.vm_state != VmState.ERROR:
        found.append(f"{row['vm_state']} with faults {faults}")
    if case.task_state not in _TAKES_THE_GUEST and case.guest is not None and guest is None:
        found.append("its guest was taken")
    if guest is not None and row["power_state"] != guest:
        found.append(f"power state {row['power_state']} of a guest that is {guest}")
    return found
