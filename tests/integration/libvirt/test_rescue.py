"""Guests that boot from a rescue image and come back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from computed import errors, objects
from computed.objects.network_model import NetworkInfo
from computed.states import PowerState
from computed.virt.specs import GuestSpec, RescueSpec
from tests.integration.libvirt.bench import Bench, make_vif, wait_for
from tests.integration.libvirt.boot_sector import boot_sector
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd

RESCUE_ID = "0b3c6a38-62a5-4d0a-8f37-6f7a2ce1a0ff"
KERNEL_ID = "0b3c6a38-62a5-4d0a-8f37-6f7a2ce1a0fe"
# A boot record is taken for an image only with a partition in it.
_PARTITION = bytes.fromhex("80000000830000000100000001000000")


@pytest.fixture
def make_bench(own_libvirtd: OwnLibvirtd) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(**options: Any) -> Bench:
        directory = Path(tempfile.mkdtemp(prefix="verbs-bench-"))
        directory.chmod(0o711)
        bench = Bench(directory, **{"libvirt.connection_uri": own_libvirtd.uri(), **options})
        made.append(bench)
        sector = boot_sector("RESCUE")
        image = directory / "rescue.raw"
        image.write_bytes((sector[:446] + _PARTITION + sector[462:]).ljust(1 << 20, b"\0"))
        bench.add_image(RESCUE_ID, image, "raw")
        return bench

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture
def guest(bench: Bench) -> GuestSpec:
    """A guest that ran and is stopped, as operations leave it before a rescue."""
    made = bench.spec(network_info=NetworkInfo([make_vif()]))
    bench.driver.spawn(bench.context, made)
    says(bench, made, "HELLO")
    bench.driver.power_off(made.instance)
    made.instance.info_cache = objects.InstanceInfoCache(network_info=made.network_info)
    return made


def rescue_of(guest: GuestSpec, properties: dict[str, str] | None = None, **more: Any) -> RescueSpec:
    image = objects.ImageMeta.from_dict({"id": RESCUE_ID, "properties": properties or {}})
    return RescueSpec(guest, image, "resc-pass", **more)


def says(bench: Bench, guest: GuestSpec, word: str) -> None:
    wait_for(lambda: word in bench.console(guest), word, 60)


def disks(bench: Bench, guest: GuestSpec) -> list[tuple[str | None, str, int | None]]:
    domain = bench.driver._engine.connection.guest(guest.instance.uuid).domain(inactive=True)
    return [
        (disk.target_dev, Path(disk.source.file).name, disk.boot_order)
        for disk in domain.disks
        if disk.source is not None and disk.source.file is not None
    ]


def rescue_files(bench: Bench, guest: GuestSpec) -> set[str]:
    return {path.name for path in bench.files(guest).iterdir() if "rescue" in path.name}


def assert_as_before(bench: Bench, guest: GuestSpec, own: list[Any], state: PowerState) -> None:
    assert rescue_files(bench, guest) == set()
    assert "rescue" not in (bench.files(guest) / "disk.info").read_text()
    assert not bench.driver.is_rescued(guest.instance)
    assert disks(bench, guest) == own
    assert bench.power_state(guest) == state


def test_a_guest_is_rescued_and_comes_back(bench: Bench, guest: GuestSpec) -> None:
    own = disks(bench, guest)
    driver, context, instance = bench.driver, bench.context, guest.instance
    assert not driver.is_rescued(instance)
    driver.rescue(context, rescue_of(guest))
    says(bench, guest, "RESCUE")
    assert driver.is_rescued(instance)
    assert rescue_files(bench, guest) == {"disk.rescue", "disk.config.rescue", "unrescue.xml"}
    assert [(target, name) for target, name, _ in disks(bench, guest)] == [
        ("vda", "disk.rescue"),
        ("vdb", "disk"),
        ("hda", "disk.config.rescue"),
    ]
    drive = (bench.files(guest) / "disk.config.rescue").read_bytes()
    assert b"resc-pass" in drive and str(instance.uuid).encode() in drive
    kept = bench.files(guest) / "unrescue.xml"
    assert kept.stat().st_mode & 0o777 == 0o600
    definition = kept.read_text()

    driver.reboot(context, guest, hard=True)
    says(bench, guest, "RESCUE")
    assert driver.is_rescued(instance)
    driver.rescue(context, rescue_of(guest))
    assert kept.read_text() == definition

    driver.unrescue(context, instance)
    says(bench, guest, "HELLO")
    assert_as_before(bench, guest, own, PowerState.RUNNING)
    assert bench.plugger.plugged == {guest.network_info[0]["id"]}
    driver.unrescue(context, instance)
    assert_as_before(bench, guest, own, PowerState.RUNNING)


def test_stable_devices(bench: Bench, guest: GuestSpec) -> None:
    own = disks(bench, guest)
    bench.driver.rescue(bench.context, rescue_of(guest, is_stable=True, disk_bus="virtio"))
    says(bench, guest, "RESCUE")
    assert set(disks(bench, guest)) == {
        ("vda", "disk", 2),
        ("hda", "disk.config", None),
        ("vdb", "disk.rescue", 1),
    }
    bench.driver.unrescue(bench.context, guest.instance)
    says(bench, guest, "HELLO")
    assert_as_before(bench, guest, own, PowerState.RUNNING)


@pytest.mark.long
def test_a_guest_that_a_stock_agent_has_rescued_comes_back(bench: Bench, guest: GuestSpec) -> None:
    """It writes what libvirt says of the stopped guest, and records no password in it."""
    own = disks(bench, guest)
    definition = bench.virsh("dumpxml", str(guest.instance.uuid))
    bench.driver.rescue(bench.context, rescue_of(guest))
    (bench.files(guest) / "unrescue.xml").write_text(definition)
    (bench.files(guest) / "kernel.rescue").write_bytes(b"")
    bench.driver.unrescue(bench.context, guest.instance)
    says(bench, guest, "HELLO")
    assert_as_before(bench, guest, own, PowerState.RUNNING)


@pytest.mark.parametrize(
    ("rescue", "error"),
    [
        ({"is_stable": True, "disk_bus": "xen"}, errors.UnsupportedRescueBus),
        ({"is_stable": True, "device_type": "fs"}, errors.UnsupportedRescueDevice),
        ({"properties": {"hw_machine_type": "pc-of-tomorrow"}}, Exception),
    ],
)
def test_what_cannot_be_changes_nothing(
    bench: Bench, guest: GuestSpec, rescue: dict[str, Any], error: type[Exception]
) -> None:
    own = disks(bench, guest)
    with pytest.raises(error):
        bench.driver.rescue(bench.context, rescue_of(guest, **rescue))
    assert_as_before(bench, guest, own, PowerState.SHUTDOWN)


def test_an_image_that_is_gone_changes_nothing(bench: Bench, guest: GuestSpec) -> None:
    own = disks(bench, guest)
    del bench.images[RESCUE_ID]
    with pytest.raises(KeyError):
        bench.driver.rescue(bench.context, rescue_of(guest))
    assert_as_before(bench, guest, own, PowerState.SHUTDOWN)
    bench.driver.power_on(bench.context, guest)
    says(bench, guest, "HELLO")


def test_the_host_has_a_rescue_image(make_bench: Callable[..., Bench]) -> None:
    assert make_bench().driver.rescue_image_id is None
    assert make_bench(**{"libvirt.rescue_image_id": RESCUE_ID}).driver.rescue_image_id == RESCUE_ID


def test_a_rescue_that_does_not_start_is_taken_back(make_bench: Callable[..., Bench]) -> None:
    """QEMU refuses the kernel, which is none."""
    bench = make_bench(**{"libvirt.rescue_kernel_id": KERNEL_ID})
    kernel = bench.directory / "kernel"
    kernel.write_bytes(b"no kernel")
    bench.add_image(KERNEL_ID, kernel, "aki")
    guest = bench.spec()
    bench.driver.spawn(bench.context, guest)
    bench.driver.power_off(guest.instance)
    own = disks(bench, guest)
    with pytest.raises(errors.LibvirtFailed, match="kernel"):
        bench.driver.rescue(bench.context, rescue_of(guest))
    assert_as_before(bench, guest, own, PowerState.SHUTDOWN)


@pytest.mark.long
def test_nothing_is_lost_when_libvirt_is_away(
    bench: Bench, guest: GuestSpec, own_libvirtd: OwnLibvirtd
) -> None:
    own = disks(bench, guest)
    bench.driver.rescue(bench.context, rescue_of(guest))
    own_libvirtd.kill()
    try:
        with pytest.raises(errors.HypervisorUnavailable):
            bench.driver.unrescue(bench.context, guest.instance)
        with pytest.raises(errors.HypervisorUnavailable):
            bench.driver.is_rescued(guest.instance)
        assert "unrescue.xml" in rescue_files(bench, guest)
    finally:
        own_libvirtd.start()

    def back() -> bool:
        try:
            bench.driver.unrescue(bench.context, guest.instance)
        except errors.HypervisorUnavailable:
            return False
        return True

    wait_for(back, "libvirt", 60)
    says(bench, guest, "HELLO")
    assert_as_before(bench, guest, own, PowerState.RUNNING)


def test_a_guest_that_is_gone(bench: Bench, guest: GuestSpec) -> None:
    bench.driver.destroy(bench.context, guest, destroy_disks=False)
    with pytest.raises(errors.InstanceNotFound):
        bench.driver.rescue(bench.context, rescue_of(guest))
    with pytest.raises(errors.InstanceNotFound):
        bench.driver.unrescue(bench.context, guest.instance)
    assert rescue_files(bench, guest) == set()


@pytest.mark.long
def test_the_ports_of_the_guest_are_waited_for(bench: Bench, guest: GuestSpec) -> None:
    seen: list[int] = []
    waiting = replace(guest, wait_for_plugs=lambda: seen.append(bench.power_state(guest)))
    bench.driver.rescue(bench.context, rescue_of(waiting))
    assert (seen, bench.power_state(guest)) == ([PowerState.PAUSED], PowerState.RUNNING)
