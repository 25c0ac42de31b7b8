"""Boots of servers that ask for a NUMA topology, pinned CPUs or huge pages: refused, and nothing is lost."""

import pytest

from tests.functional.test_numa import REFUSED, topology
from tests.functional.verbs.test_boot_failures import is_rescheduled, nothing_is_left


@pytest.mark.parametrize(
    ("extra_specs", "image", "asked"),
    [
        ({"hw:numa_nodes": "1"}, {}, "hw:numa_nodes=1"),
        ({"hw:cpu_policy": "dedicated"}, {}, "hw:cpu_policy=dedicated"),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0"}, {}, "hw:cpu_policy=mixed"),
        ({"hw:mem_page_size": "large"}, {}, "hw:mem_page_size=large"),
        ({"hw:pmem": "6GB"}, {}, "hw:pmem=6GB"),
        ({"resources:PCPU": "1"}, {}, "resources:PCPU=1"),
        ({}, {"hw_numa_nodes": "2"}, "hw_numa_nodes=2"),
        ({}, {"hw_cpu_policy": "dedicated"}, "hw_cpu_policy=dedicated"),
        ({}, {"hw_mem_page_size": "2048"}, "hw_mem_page_size=2048"),
        ({}, {}, "a NUMA topology of 1 cells"),
    ],
)
def test_a_boot_goes_on_to_another_host(bench, extra_specs, image, asked):
    remembered = {f"image_{name}": value for name, value in image.items()}
    instance = bench.new_server(flavor=bench.flavor(extra_specs=extra_specs), numa_topology=topology())
    instance.system_metadata.update(remembered)
    bench.build(instance)
    is_rescheduled(bench, instance, REFUSED)
    is_rescheduled(bench, instance, asked)
    nothing_is_left(bench, instance)
    assert bench.fetch(instance.uuid).numa_topology.cells[0].pcpuset == {0}


@pytest.mark.parametrize(
    "extra_specs",
    [{"hw:cpu_policy": "shared"}, {"hw:cpu_sockets": "1", "hw:numa_mem.0": "96"}, {"resources:VCPU": "1"}],
)
def test_who_asks_for_no_topology_is_built(bench, extra_specs):
    instance = bench.new_server(flavor=bench.flavor(extra_specs=extra_specs))
    bench.build(instance)
    assert bench.states(instance.uuid) == ("active", None)
