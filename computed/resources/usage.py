"""What instances take of a node: pure sums on frozen data, and the numbers that the scheduler reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from computed.states import TaskState, VmState

MIB_PER_GIB = 1024

_IO_HEAVY_TASKS = frozenset(
    {
        TaskState.RESIZE_MIGRATING,
        TaskState.REBUILDING,
        TaskState.RESIZE_PREP,
        TaskState.IMAGE_SNAPSHOT,
        TaskState.IMAGE_BACKUP,
        TaskState.RESCUING,
        TaskState.UNSHELVING,
    }
)


@dataclass(frozen=True, slots=True)
class Usage:
    """An amount of virtual CPUs, memory in MiB and local disk in GiB; amounts add and subtract."""

    vcpus: int = 0
    memory_mib: int = 0
    disk_gib: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.vcpus + other.vcpus,
            self.memory_mib + other.memory_mib,
            self.disk_gib + other.disk_gib,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.vcpus - other.vcpus,
            self.memory_mib - other.memory_mib,
            self.disk_gib - other.disk_gib,
        )


NOTHING = Usage()


def flavor_usage(flavor: Any, *, volume_backed: bool) -> Usage:
    """What one instance of `flavor` takes: root + ephemeral + whole GiB of swap as disk.

    The root disk of a volume-backed instance lies on its volume and counts nothing. Swap counts in whole
    GiB, rounded down for each instance (service.json, compute_node.derived: an integer field).
    """
    root_gib = 0 if volume_backed else flavor.root_gb
    return Usage(
        vcpus=flavor.vcpus,
        memory_mib=flavor.memory_mb,
        disk_gib=root_gib + flavor.ephemeral_gb + flavor.swap // MIB_PER_GIB,
    )


@dataclass(frozen=True, slots=True)
class InstanceState:
    """The part of an instance that a node's workload numbers are made of."""

    vm_state: str | None
    task_state: str | None
    os_type: str | None
    project_id: str | None

    @classmethod
    def of(cls, instance: Any) -> InstanceState:
        """The state that an `objects.Instance` carries now."""
        return cls(instance.vm_state, instance.task_state, instance.os_type, instance.project_id)


class Tally:
    """How many instances are in each state; kept up in constant time, equal to a fresh count.

    Not safe for threads: the ledger that owns it holds its lock.
    """

    def __init__(self, states: Iterable[InstanceState] = ()) -> None:
        self.instances = 0
        self._counts: Counter[str] = Counter()
        self._io_heavy = 0
        self._busy = 0
        for state in states:
            self.add(state)

    def add(self, state: InstanceState) -> None:
        """Count one instance in `state`."""
        self._change(state, 1)

    def remove(self, state: InstanceState) -> None:
        """Take back what `add` counted."""
        self._change(state, -1)

    def _change(self, state: InstanceState, by: int) -> None:
        self.instances += by
        for key in _keys(state):
            self._counts[key] += by
            if not self._counts[key]:
                del self._counts[key]
        self._io_heavy += by * ((state.vm_state == VmState.BUILDING) + (state.task_state in _IO_HEAVY_TASKS))
        self._busy += by * (state.task_state is not None)

    @property
    def current_workload(self) -> int:
        """Instances with a task under way."""
        return self._busy

    def stats(self) -> dict[str, str]:
        """The `stats` of a compute node as text, without `failed_builds`; empty without instances.

        Keys (service.json, compute_node.stats_keys): num_instances, io_workload, num_vm_STATE,
        num_task_STATE, num_os_type_TYPE, num_proj_PROJECT.
        """
        if not self.instances:
            return {}
        stats = {key: str(count) for key, count in self._counts.items()}
        return stats | {"num_instances": str(self.instances), "io_workload": str(self._io_heavy)}


def _keys(state: InstanceState) -> tuple[str, str, str, str]:
    return (
        f"num_vm_{state.vm_state}",
        f"num_task_{state.task_state}",
        f"num_os_type_{state.os_type}",
        f"num_proj_{state.project_id}",
    )


@dataclass(frozen=True, slots=True)
class Load:
    """The sums over one node at one moment: what is held, and by how many instances in which states."""

    held: Usage = NOTHING
    instances: int = 0
    current_workload: int = 0
    stats: Mapping[str, str] | None = None
