"""CPUs by the configured sets, pages kept for the host, cells of the NUMA topology."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lxml")

from computed import errors
from computed.virt.libvirt import inventory
from computed.virt.libvirt.design.host_facts import HostCell, HostPages
from computed.virt.libvirt.inventory import CpuSets, DiskSpace, NumaOptions
from tests.unit.virt.libvirt.recorded_host import conf_of

GIB = 1 << 30
FOUR = frozenset(range(4))


def cpus(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


@pytest.mark.parametrize(
    ("sets", "vcpus", "pcpus", "pinning"),
    [
        (CpuSets(), FOUR, cpus(), FOUR),
        (CpuSets(shared=cpus(0, 1)), cpus(0, 1), cpus(), cpus()),
        (CpuSets(dedicated=cpus(2, 3)), cpus(), cpus(2, 3), cpus(2, 3)),
        (CpuSets(shared=cpus(0), dedicated=cpus(2, 3)), cpus(0), cpus(2, 3), cpus(2, 3)),
        (CpuSets(pinned=cpus(1, 2)), cpus(1, 2), cpus(), cpus(1, 2)),
        (CpuSets(pinned=cpus(1), shared=cpus(0)), cpus(1), cpus(), cpus(1)),
    ],
)
def test_which_cpus_are_for_whom(
    sets: CpuSets, vcpus: frozenset[int], pcpus: frozenset[int], pinning: frozenset[int]
) -> None:
    assert sets.for_vcpus(FOUR) == vcpus
    assert sets.for_pcpus(FOUR) == pcpus
    assert sets.for_pinning(FOUR) == pinning


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"compute__cpu_shared_set": "0-2", "compute__cpu_dedicated_set": "2-3"}, "CPUs 2 are in both"),
        ({"compute__cpu_shared_set": "0", "reserved_host_cpus": 1}, "reserved_host_cpus does not go with"),
        ({"compute__cpu_dedicated_set": "0", "reserved_host_cpus": 1}, "reserved_host_cpus does not go"),
        ({"vcpu_pin_set": "0", "compute__cpu_dedicated_set": "1"}, "unset vcpu_pin_set"),
        ({"vcpu_pin_set": "3-1"}, "vcpu_pin_set = 3-1"),
        ({"compute__cpu_shared_set": "1,^1"}, "no CPU is left"),
    ],
)
def test_sets_that_contradict_are_refused(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(errors.InvalidConfiguration, match=text):
        CpuSets.from_conf(conf_of(tmp_path, **options))


def test_reserved_cpus_go_with_the_older_option(tmp_path: Path) -> None:
    conf = conf_of(tmp_path, vcpu_pin_set="0-2,^1", reserved_host_cpus=1)
    assert CpuSets.from_conf(conf) == CpuSets(pinned=cpus(0, 2))


def test_cpus_that_are_not_there_are_refused() -> None:
    with pytest.raises(errors.Invalid, match=r"cpu_shared_set: CPUs 4-5 are not online here \(0-3 are\)"):
        CpuSets(shared=cpus(3, 4, 5)).for_vcpus(FOUR)
    with pytest.raises(errors.Invalid, match="cpu_dedicated_set: CPUs 9 are not available"):
        CpuSets(dedicated=cpus(9)).for_pcpus(FOUR)
    assert CpuSets(dedicated=cpus(3)).for_pcpus(FOUR) == cpus(3), "a CPU that sleeps is offered all the same"


def test_nothing_is_offered_of_what_is_not_there() -> None:
    found = inventory.inventories(vcpus=0, pcpus=2, memory_mib=100, disk_gib=0)
    assert {name: each.total for name, each in found.items()} == {"PCPU": 2, "MEMORY_MB": 100}


@pytest.mark.parametrize(("overcommitted", "left"), [(0, 10), (4 * GIB, 6), (12 * GIB + 1, -2)])
def test_what_is_left_when_disks_grow(overcommitted: int, left: int) -> None:
    assert inventory.available_least_gib(DiskSpace(20 * GIB, 10 * GIB, 10 * GIB), overcommitted) == left


def test_pages_kept_for_the_host(tmp_path: Path) -> None:
    said = [
        {"node": "0", "size": "2048", "count": "64"},
        {"node": "1", "size": "1GB", "count": "1"},
        {"node": "1", "size": "4", "count": "7"},
    ]
    found = inventory.reserved_pages(conf_of(tmp_path, reserved_huge_pages=said))
    assert found == {(0, 2048): 64, (1, 1 << 20): 1, (1, 4): 7}


@pytest.mark.parametrize(
    "said",
    [
        {"node": "0", "size": "2048"},
        {"node": "x", "size": "4", "count": "1"},
        {"node": "0", "size": "big", "count": "1"},
    ],
)
def test_pages_that_cannot_be_read_are_refused(tmp_path: Path, said: dict[str, str]) -> None:
    with pytest.raises(errors.InvalidReservedMemoryPagesOption):
        inventory.reserved_pages(conf_of(tmp_path, reserved_huge_pages=[said]))


CELLS = (
    HostCell(
        id=0,
        cpus=cpus(0, 1, 2, 3),
        memory_kib=2048 * 1024 + 512,
        pages=(HostPages(4, 1000), HostPages(2048, 64)),
        siblings=(cpus(0, 1), cpus(2, 3)),
    ),
    HostCell(id=1, cpus=cpus(4, 5), memory_kib=1024 * 1024, siblings=(cpus(4), cpus(5))),
)


def test_cells_of_the_host() -> None:
    options = NumaOptions(
        physnets={"fast": cpus(1), "slow": cpus(0, 1)}, tunnels=cpus(0), reserved_pages={(0, 2048): 5}
    )
    topology = inventory.numa_topology(CELLS, {0: 0, 1: None}, cpus(0, 2), cpus(3, 4), options)
    first, second = topology.cells
    assert (first.cpuset, first.pcpuset, first.socket) == ({0, 2}, {3}, 0)
    assert (second.cpuset, second.pcpuset, second.socket) == (set(), {4}, None)
    assert first.siblings == [{0}, {2, 3}] and second.siblings == [{4}], (
        "CPUs of nobody are nobody's siblings"
    )
    assert (first.memory, second.memory) == (2048, 1024)
    assert [(p.size_kb, p.total, p.used, p.reserved) for p in first.mempages] == [
        (4, 1000, 0, 0),
        (2048, 64, 0, 5),
    ]
    assert (first.network_metadata.physnets, first.network_metadata.tunneled) == ({"slow"}, True)
    assert (second.network_metadata.physnets, second.network_metadata.tunneled) == ({"fast", "slow"}, False)
    assert first.pinned_cpus == set() and first.cpu_usage == first.memory_usage == 0


def test_a_host_without_cells_has_no_topology() -> None:
    assert inventory.numa_topology((), {}, FOUR, FOUR, NumaOptions()) is None


@pytest.mark.parametrize("options", [NumaOptions(physnets={"fast": cpus(7)}), NumaOptions(tunnels=cpus(7))])
def test_a_network_near_no_cell_is_refused(options: NumaOptions) -> None:
    with pytest.raises(errors.InvalidNetworkNUMAAffinity, match="no NUMA cell 7"):
        inventory.numa_topology(CELLS, {}, FOUR, FOUR, options)


@pytest.mark.parametrize(
    ("arch", "driver_type", "is_there"),
    [
        ("x86_64", "QEMU", True),
        ("x86_64", "LXC", False),
        ("aarch64", "QEMU", True),
        ("ppc64le", "LXC", True),
        ("s390x", "QEMU", False),
    ],
)
def test_who_can_bind_guests_to_cells(arch: str, driver_type: str, is_there: bool) -> None:
    assert inventory.has_numa(arch, driver_type) is is_there
