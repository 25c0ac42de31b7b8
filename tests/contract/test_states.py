"""The state tables against the recorded facts, and the edges against what a stock agent was seen to save."""

import json
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from computed import states
from computed.states import EDGES, Edge, PowerState, TaskState, VmState

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts" / "states.json").read_text())

# What nova-api or nova-conductor sets before a compute hears of it.
SET_BY_CONTROL_PLANE = {
    TaskState.DELETING, TaskState.IMAGE_BACKUP, TaskState.IMAGE_SNAPSHOT_PENDING, TaskState.MIGRATING,
    TaskState.PAUSING, TaskState.POWERING_OFF, TaskState.POWERING_ON, TaskState.REBOOTING,
    TaskState.REBOOTING_HARD, TaskState.REBUILDING, TaskState.RESCUING, TaskState.RESIZE_CONFIRMING,
    TaskState.RESIZE_PREP, TaskState.RESIZE_REVERTING, TaskState.RESTORING, TaskState.RESUMING,
    TaskState.SCHEDULING, TaskState.SHELVING, TaskState.SHELVING_OFFLOADING, TaskState.SOFT_DELETING,
    TaskState.SUSPENDING, TaskState.UNPAUSING, TaskState.UNRESCUING, TaskState.UNSHELVING,
    TaskState.UPDATING_PASSWORD,
}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "fact"),
    [
        (VmState, "vm_states"),
        (TaskState, "task_states"),
        (PowerState, "power_states"),
        (states.Action, "actions"),
    ],
)
def test_names_and_values_are_as_recorded(table: type[Enum], fact: str) -> None:
    assert {member.name: member.value for member in table} == FACTS[fact]


@pytest.mark.parametrize(
    ("values", "fact"),
    [
        (states.MigrationType, "migration_types"),
        (states.MigrationStatus, "migration_statuses"),
        (states.ExternalEventName, "external_event_names"),
        (states.ExternalEventStatus, "external_event_statuses"),
        (states.AWAITED_EVENTS, "awaited"),
        (states.PowerUpdate, "power_update_tags"),
        (states.BlockDeviceSource, "block_device_sources"),
        (states.BlockDeviceDestination, "block_device_destinations"),
        (states.REBOOTABLE_SOFT, "allow_soft_reboot"),
        (states.REBOOTABLE_HARD, "allow_hard_reboot"),
        (states.CRASH_DUMPABLE, "allow_trigger_crash_dump"),
        (states.REBOOT_OVERRIDES, "allow_reboot"),
    ],
)
def test_values_are_as_recorded(values: Any, fact: str) -> None:
    assert set(values) == set(FACTS[fact])


@pytest.mark.parametrize("power_state", PowerState)
def test_power_states_bear_the_names_of_the_api(power_state: PowerState) -> None:
    assert power_state.label == FACTS["power_state_names"][str(int(power_state))]


def _covers(edge: Edge, save: dict[str, Any]) -> bool:
    if set(edge.expected) != set(save["expected"]):
        return False
    unchanged = save["task_state"] == "unchanged"
    same_task = edge.task_state in edge.expected if unchanged else edge.task_state == save["task_state"]
    return same_task and edge.vm_state in (None, save["vm_state"])


@pytest.mark.parametrize("save", FACTS["observed_saves"], ids=str)
def test_every_save_of_a_stock_agent_walks_an_edge(save: dict[str, Any]) -> None:
    assert [name for name, edge in EDGES.items() if _covers(edge, save)]


@pytest.mark.parametrize("task_state", TaskState)
def test_every_task_state_has_a_way_in(task_state: TaskState) -> None:
    entered = {edge.task_state for edge in EDGES.values()}
    assert task_state in entered or task_state in SET_BY_CONTROL_PLANE


@pytest.mark.parametrize("task_state", sorted(set(TaskState) - {TaskState.UNSHELVING}))
def test_every_task_state_has_a_way_out(task_state: TaskState) -> None:
    """Deleting ends with the record, confirming and unshelving by saves that expect nothing."""
    ends_unguarded = {TaskState.DELETING, TaskState.RESIZE_CONFIRMING, TaskState.NETWORKING}
    ends_unguarded |= {TaskState.REBOOT_STARTED, TaskState.REBOOT_STARTED_HARD}
    left = {state for edge in EDGES.values() for state in edge.expected}
    assert task_state in left or task_state in ends_unguarded


@pytest.mark.parametrize(
    ("vm_state", "task_state", "expected"),
    [
        (VmState.DELETED, None, False),
        (VmState.DELETED, TaskState.SPAWNING, False),
        (VmState.SHELVED_OFFLOADED, None, False),
        (VmState.SHELVED_OFFLOADED, TaskState.UNSHELVING, False),
        (VmState.SHELVED_OFFLOADED, TaskState.SPAWNING, True),
        (VmState.SHELVED, TaskState.SHELVING_OFFLOADING, True),
        (VmState.ERROR, None, True),
        (VmState.BUILDING, None, True),
        (None, None, True),
    ],
)
def test_who_holds_resources(vm_state: str | None, task_state: str | None, expected: bool) -> None:
    assert states.holds_resources(vm_state, task_state) is expected
