"""An instance as it looks at either end of a move."""

from __future__ import annotations

from typing import Any

import pytest

from computed import objects

UUID = "00000001-0000-4000-8000-000000000001"


def topology(node: int) -> Any:
    return objects.InstanceNUMATopology(cells=[], instance_uuid=UUID, id=node)


def moving() -> Any:
    context = objects.MigrationContext(
        instance_uuid=UUID, migration_id=1, old_numa_topology=topology(1), new_numa_topology=topology(2)
    )
    instance = objects.Instance(
        uuid=UUID,
        numa_topology=topology(1),
        pci_devices=objects.PciDeviceList(),
        pci_requests=None,
        resources=None,
        migration_context=context,
        task_state="resize_migrating",
    )
    instance.obj_reset_changes(recursive=True)
    context.obj_reset_changes(recursive=True)
    return instance


def test_inside_the_block_the_other_end_is_seen_and_after_it_nothing_has_changed() -> None:
    instance = moving()
    with instance.mutated_migration_context():
        assert instance.numa_topology.id == 2
        assert instance.pci_devices is None
        instance.task_state = "resize_migrated"
    assert (instance.numa_topology.id, len(instance.pci_devices)) == (1, 0)
    assert instance.obj_what_changed() == {"task_state"}


def test_the_block_gives_back_what_it_borrowed_when_it_fails() -> None:
    instance = moving()
    with pytest.raises(RuntimeError), instance.mutated_migration_context():
        raise RuntimeError
    assert instance.numa_topology.id == 1


def test_applying_and_reverting_last() -> None:
    instance = moving()
    instance.apply_migration_context()
    assert instance.numa_topology.id == 2
    with instance.mutated_migration_context(revert=True):
        assert instance.numa_topology.id == 1
    instance.revert_migration_context()
    assert instance.numa_topology.id == 1
    assert "numa_topology" in instance.obj_what_changed()


def test_an_instance_that_does_not_move_looks_the_same() -> None:
    instance = moving()
    instance.migration_context = None
    instance.apply_migration_context()
    with instance.mutated_migration_context():
        assert instance.numa_topology.id == 1
