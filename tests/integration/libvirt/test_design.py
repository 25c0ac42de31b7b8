"""Designed guests before a real libvirt: it takes what its QEMU can run, and keeps what was said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from computed.virt.libvirt.connection import Connection
from computed.virt.libvirt.design import GuestRequest, guest_domain
from computed.virt.libvirt.xml.domain import Domain
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd
from tests.integration.libvirt.spectator import Spectator
from tests.unit.virt.libvirt.design.matrix import MATRIX, request_of

# What the QEMU of these machines cannot run: another architecture, a container, encrypted memory, a TPM.
NOT_HERE = re.compile("aarch64|lxc|sev|^devices$")
KINDS = [name for name in MATRIX if not NOT_HERE.search(name)]


@pytest.fixture(scope="module")
def connection(own_libvirtd: OwnLibvirtd) -> Iterator[Connection]:
    """QEMU of a libvirtd of our own."""
    made = Spectator().connect(own_libvirtd.uri())
    yield made
    made.close()


def under_qemu(request: GuestRequest) -> GuestRequest:
    """The same without KVM, which need not be here; TCG has no host-passthrough."""
    options = replace(request.options, virt_type="qemu")
    if options.cpu.mode == "host-passthrough":
        options = replace(options, cpu=replace(options.cpu, mode="host-model"))
    return replace(request, options=options)


def defined(connection: Connection, domain: Domain) -> Any:
    return connection.define(domain.to_xml())


@pytest.mark.parametrize("name", KINDS)
def test_libvirt_takes_it_and_keeps_what_it_says(connection: Connection, name: str) -> None:
    request = under_qemu(request_of(name))
    ours = guest_domain(request)
    guest = defined(connection, ours)
    try:
        kept = guest.domain(inactive=True)
        assert kept.metadata == Domain.from_xml(ours.to_xml()).metadata
        assert kept.sysinfo == ours.sysinfo
        modules = sum(module.target_size_kib or 0 for module in ours.memory_modules)
        assert kept.memory_kib == (ours.memory_kib or 0) + modules
        assert (kept.vcpus, kept.name) == (ours.vcpus, ours.name)
        assert [(disk.target_dev, disk.target_bus) for disk in kept.disks] == [
            (disk.target_dev, disk.target_bus) for disk in ours.disks
        ]
        assert [serial.log_file for serial in kept.serials] == [serial.log_file for serial in ours.serials]
        # A hard reboot designs the guest again, beside the one that libvirt has.
        again = guest_domain(replace(request, old=kept))
        assert defined(connection, again).uuid == guest.uuid
    finally:
        guest.undefine()


def test_the_kinds_are_nearly_all() -> None:
    assert len(KINDS) > 40


def test_a_hostile_name_stays_text(connection: Connection, tmp_path: Path) -> None:
    request = under_qemu(request_of("plain"))
    name = "]]></nova:name><devices><disk type='block'/></devices>\U0001f4a9"
    request.spec.instance.display_name = name
    guest = defined(connection, guest_domain(request))
    try:
        kept = guest.domain(inactive=True)
        assert kept.metadata is not None and kept.metadata.name == name
        assert len(kept.disks) == 1
    finally:
        guest.undefine()
