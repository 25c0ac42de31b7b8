"""Sums of what instances take, row by row."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from computed.resources.usage import InstanceState, Tally, Usage, flavor_usage


def flavor(vcpus=1, memory_mb=512, root_gb=10, ephemeral_gb=0, swap=0):
    return SimpleNamespace(
        vcpus=vcpus, memory_mb=memory_mb, root_gb=root_gb, ephemeral_gb=ephemeral_gb, swap=swap
    )


@pytest.mark.parametrize(
    ("of", "volume_backed", "expected"),
    [
        (flavor(), False, Usage(1, 512, 10)),
        (flavor(), True, Usage(1, 512, 0)),
        (flavor(root_gb=0), False, Usage(1, 512, 0)),
        (flavor(ephemeral_gb=5), False, Usage(1, 512, 15)),
        (flavor(ephemeral_gb=5), True, Usage(1, 512, 5)),
        (flavor(swap=1023), False, Usage(1, 512, 10)),
        (flavor(swap=1024), False, Usage(1, 512, 11)),
        (flavor(swap=2560), True, Usage(1, 512, 2)),
        (flavor(vcpus=64, memory_mb=1 << 20, root_gb=4000), False, Usage(64, 1 << 20, 4000)),
    ],
)
def test_flavor_usage(of, volume_backed, expected):
    assert flavor_usage(of, volume_backed=volume_backed) == expected


def state(vm_state="active", task_state=None, os_type=None, project_id="p1"):
    return InstanceState(vm_state, task_state, os_type, project_id)


@pytest.mark.parametrize(
    ("states", "workload", "stats"),
    [
        ([], 0, {}),
        (
            [state("building")],
            0,
            {
                "num_instances": "1",
                "io_workload": "1",
                "num_vm_building": "1",
                "num_task_None": "1",
                "num_os_type_None": "1",
                "num_proj_p1": "1",
            },
        ),
        (
            [state(), state(task_state="image_snapshot", os_type="linux", project_id="p2")],
            1,
            {
                "num_instances": "2",
                "io_workload": "1",
                "num_vm_active": "2",
                "num_task_None": "1",
                "num_task_image_snapshot": "1",
                "num_os_type_None": "1",
                "num_os_type_linux": "1",
                "num_proj_p1": "1",
                "num_proj_p2": "1",
            },
        ),
    ],
)
def test_workload_numbers(states, workload, stats):
    tally = Tally(states)
    assert tally.current_workload == workload
    assert tally.stats() == stats


@pytest.mark.parametrize(
    ("vm_state", "task_state", "io"),
    [
        ("building", None, 1),
        ("building", "rescuing", 2),
        ("active", "resize_prep", 1),
        ("active", "resize_migrating", 1),
        ("active", "rebuilding", 1),
        ("active", "image_backup", 1),
        ("active", "rescuing", 1),
        ("shelved_offloaded", "unshelving", 1),
        ("active", "rebooting", 0),
        ("active", None, 0),
    ],
)
def test_io_workload(vm_state, task_state, io):
    assert Tally([state(vm_state, task_state)]).stats()["io_workload"] == str(io)


usages = st.builds(Usage, st.integers(0, 64), st.integers(0, 1 << 20), st.integers(0, 9999))


@given(usages, usages)
def test_usage_subtracts_what_it_added(one, other):
    assert one + other - other == one
    assert one + other == other + one


states = st.builds(
    InstanceState,
    st.sampled_from(["active", "building", "error"]),
    st.sampled_from([None, "spawning", "rebuilding", "image_snapshot"]),
    st.sampled_from([None, "linux"]),
    st.sampled_from(["p1", "p2"]),
)


@given(st.lists(states), st.lists(states))
def test_a_tally_kept_up_equals_a_fresh_count(kept, gone):
    tally = Tally(kept + gone)
    for each in gone:
        tally.remove(each)
    fresh = Tally(kept)
    assert tally.stats() == fresh.stats()
    assert tally.current_workload == fresh.current_workload
