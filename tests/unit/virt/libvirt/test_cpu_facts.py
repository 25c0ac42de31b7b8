"""Flags that guests may see, by [libvirt]cpu_mode, and what a host's processor looks like in its record."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("lxml")

from computed import errors
from computed.virt.libvirt import cpu_facts
from computed.virt.libvirt.cpu_facts import GuestCpu
from computed.virt.libvirt.xml.capabilities import Capabilities, Cell, CellCpu, HostCapabilities
from computed.virt.libvirt.xml.cpu import Cpu

MODELS = {
    "qemu64": {"sse"},
    "qemu32": {"mmx"},
    "POWER8": {"vsx"},
    "max": {"everything"},
    "Nehalem": {"sse", "sse4.2"},
    "EPYC": {"svm"},
}
HOST = frozenset({"avx", "sse"})


def expand(model: str) -> frozenset[str]:
    return frozenset(MODELS[model])


@pytest.mark.parametrize(
    ("guest", "arch", "expected"),
    [
        (GuestCpu("kvm"), "x86_64", {"avx", "sse"}),
        (GuestCpu("qemu", "host-passthrough"), "x86_64", {"avx", "sse"}),
        (GuestCpu("qemu", "host-model", (), ("+vmx", "pcid", "-sse")), "x86_64", {"avx", "vmx", "pcid"}),
        (GuestCpu("qemu", "none"), "x86_64", {"sse"}),
        (GuestCpu("qemu", "none"), "i686", {"mmx"}),
        (GuestCpu("kvm", "none"), "ppc64le", {"vsx"}),
        (GuestCpu("kvm"), "aarch64", {"avx", "sse"}),
        (GuestCpu("kvm", "custom"), "aarch64", {"everything"}),
        (GuestCpu("kvm", "custom", ("Nehalem", "EPYC")), "x86_64", {"sse", "sse4.2", "svm"}),
        (GuestCpu("kvm", "custom", ("EPYC",), ("-svm",)), "x86_64", set()),
        (GuestCpu("lxc"), "x86_64", None),
        (GuestCpu("lxc", "none"), "x86_64", None),
    ],
)
def test_flags_of_guests(guest: GuestCpu, arch: str, expected: set[str] | None) -> None:
    assert guest.features(arch, HOST, expand) == expected


def test_models_are_found_whatever_their_case() -> None:
    assert cpu_facts.spelled(("nehalem", "EPYC"), MODELS, "x86_64") == ("Nehalem", "EPYC")
    assert cpu_facts.spelled(("cortex-a57",), MODELS, "aarch64") == ("cortex-a57",)
    with pytest.raises(errors.InvalidCPUInfo, match="no Z80, 6502 for x86_64"):
        cpu_facts.spelled(("Z80", "EPYC", "6502"), MODELS, "x86_64")


def capabilities(*cells: Cell) -> Capabilities:
    cpu = Cpu(arch="x86_64", model="EPYC", vendor="AMD", sockets=2, cores=4, threads=2)
    return Capabilities(host=HostCapabilities(cpu=cpu, cells=list(cells)))


def test_the_text_in_the_record() -> None:
    found = json.loads(cpu_facts.cpu_info(capabilities(Cell(id=0), Cell(id=1)), {"sse", "avx"}))
    assert found == {
        "arch": "x86_64",
        "model": "EPYC",
        "vendor": "AMD",
        "topology": {"cells": 2, "sockets": 2, "cores": 4, "threads": 2},
        "features": ["avx", "sse"],
    }


def test_cells_threads_and_sockets() -> None:
    threads = [CellCpu(id=n, socket_id=0, siblings="0,2" if n % 2 == 0 else "1,3") for n in range(4)]
    asleep = [CellCpu(id=4), CellCpu(id=5, socket_id=1, siblings="5")]
    said = capabilities(Cell(id=0, memory_kib=64, cpus=threads), Cell(id=1, cpus=asleep))
    first, second = cpu_facts.cells(said)
    assert first.siblings == (frozenset({0, 2}), frozenset({1, 3})) and first.cpus == frozenset(range(4))
    assert second.siblings == (frozenset({5}),) and second.cpus == frozenset({4, 5})
    assert cpu_facts.sockets(said) == {0: 0, 1: None}
    assert cpu_facts.has_hyperthreading([first]) and not cpu_facts.has_hyperthreading([second])
