"""The life of guests, from the port of the driver to QEMU: made, restarted, halted, ended, nothing left."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from computed import errors
from computed.objects.network_model import NetworkInfo
from computed.states import PowerState
from computed.virt.specs import DiskSpec, GuestSpec
from tests.integration import guest_image
from tests.integration.guest_image import marks
from tests.integration.libvirt.bench import IMAGE_ID, Bench, make_vif, wait_for
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd

OTHER_IMAGE = "0b3c6a38-62a5-4d0a-8f37-6f7a2ce1a002"


def _directory() -> Path:
    """Where QEMU, which is another user, can reach its files."""
    made = Path(tempfile.mkdtemp(prefix="core-bench-"))
    made.chmod(0o711)
    return made


@pytest.fixture
def make_bench(own_libvirtd: OwnLibvirtd) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(guest: Path | None = None, **options: Any) -> Bench:
        bench = Bench(_directory(), guest, **{"libvirt.connection_uri": own_libvirtd.uri(), **options})
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


# A whole guest


@pytest.mark.long
def test_the_life_of_a_guest(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(guest_image.ensure().qcow2)
    blank = DiskSpec("blank", "/dev/vdb", 1)
    swap = DiskSpec("swap", "/dev/vdc", None, swap_mib=16)
    spec = bench.spec(admin_password="secret")
    spec = replace(spec, disks=(*spec.disks, blank, swap))
    driver, instance, context = bench.driver, spec.instance, bench.context
    driver.spawn(context, spec)
    assert bench.said(spec, "config").values["uuid"] == instance.uuid
    sizes = bench.said(spec, "disks").values
    assert (sizes["vda"], sizes["vdb"], sizes["vdc"]) == (str(1 << 30), str(1 << 30), str(16 << 20))
    assert bench.said(spec, "boots").text == "vda=1"

    driver.reboot(context, spec, hard=False)
    assert bench.said(spec, "boots").text == "vda=2"
    up = _ticks(bench, spec)
    driver.suspend(context, instance)
    assert bench.power_state(spec) == PowerState.SHUTDOWN
    driver.suspend(context, instance)
    assert driver.is_suspended(instance)
    driver.resume(context, spec)
    assert bench.power_state(spec) == PowerState.RUNNING
    assert not driver.is_suspended(instance)
    assert _ticks(bench, spec, beyond=up) and len(marks(bench.console(spec), "boot")) <= 1

    driver.pause(instance)
    driver.pause(instance)
    assert bench.power_state(spec) == PowerState.PAUSED
    driver.unpause(instance)
    driver.power_off(instance, timeout_seconds=30, retry_seconds=10)
    assert marks(bench.console(spec), "power-button")
    assert bench.power_state(spec) == PowerState.SHUTDOWN
    driver.power_on(context, spec)
    assert bench.said(spec, "boots").text == "vda=3"
    driver.destroy(context, spec)
    driver.destroy(context, spec)
    assert not driver.is_suspended(instance)
    assert bench.leftovers(spec) == []
    assert bench.downloads == [IMAGE_ID]


def _ticks(bench: Bench, spec: GuestSpec, beyond: int = 0) -> int:
    """What the guest's clock says on its console, once it is later than that."""

    def look() -> int:
        ticks = [int(float(mark.values["up"])) for mark in marks(bench.console(spec), "alive")]
        return ticks[-1] if ticks and ticks[-1] > beyond else 0

    return int(wait_for(look, "sign of life", 60))


# Ways to make one


def test_what_a_spawn_makes(bench: Bench) -> None:
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    names = {path.name for path in bench.files(spec).iterdir()}
    assert names == {"disk", "disk.config", "disk.info", "console.log"}
    wait_for(lambda: "HELLO" in bench.console(spec), "greeting", 60)
    remembered = spec.instance.system_metadata
    assert (remembered["image_hw_machine_type"], remembered["image_hw_disk_bus"]) == ("pc", "virtio")
    assert bench.driver.states()[spec.instance.uuid].power_state == PowerState.RUNNING
    assert bench.driver.has_disks_of(spec.instance)
    assert not bench.driver.delete_instance_files(spec.instance)
    assert bench.files(spec).exists()


def test_a_guest_that_is_not_started(bench: Bench) -> None:
    spec = bench.spec(power_on=False)
    bench.driver.spawn(bench.context, replace(spec, wait_for_plugs=pytest.fail))
    assert bench.power_state(spec) == PowerState.SHUTDOWN


def test_a_guest_stands_still_until_its_ports_are_plugged(bench: Bench) -> None:
    seen: list[int] = []
    spec = bench.spec(network_info=NetworkInfo([make_vif()]))
    spec = replace(spec, wait_for_plugs=lambda: seen.append(bench.power_state(spec)))
    bench.driver.spawn(bench.context, spec)
    assert (seen, bench.power_state(spec)) == ([PowerState.PAUSED], PowerState.RUNNING)
    assert bench.plugger.plugged == {spec.network_info[0]["id"]}


def test_the_same_guest_is_not_made_twice(bench: Bench) -> None:
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    with pytest.raises(errors.InstanceExists):
        bench.driver.spawn(bench.context, spec)
    assert bench.power_state(spec) == PowerState.RUNNING
    assert (bench.files(spec) / "disk").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("option", "value"),
    [("use_cow_images", False), ("config_drive_format", "vfat"), ("preallocate_images", "space")],
)
def test_other_kinds_of_files(make_bench: Callable[..., Bench], option: str, value: Any) -> None:
    bench = make_bench(**{option: value})
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    wait_for(lambda: "HELLO" in bench.console(spec), "greeting", 60)
    bench.driver.destroy(bench.context, spec)
    assert bench.leftovers(spec) == []


# Failures of a spawn: nothing is left


def _no_image(bench: Bench) -> None:
    def show(context: Any, image_id: str) -> Any:
        raise errors.ImageNotFound(image_id=image_id)

    _replace_collaborator(bench, show_image=show)


def _broken_download(bench: Bench) -> None:
    bench.images[IMAGE_ID]["checksum"] = "0" * 32


def _hostile_image(bench: Bench) -> None:
    path = bench.directory / "hostile.qcow2"
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 112, 11, 16, 1 << 20)
    path.write_bytes(header.ljust(112, b"\0") + b"/etc/passwd".ljust(4096, b"\0"))
    bench.add_image(IMAGE_ID, path, "qcow2")


def _replace_collaborator(bench: Bench, **more: Any) -> None:
    engine = bench.driver._engine
    engine.images._collaborators = replace(engine.collaborators, **more)


def _no_switch(bench: Bench) -> None:
    bench.plugger.refuses = True


def _no_drive(bench: Bench) -> None:
    engine = bench.driver._engine
    options = replace(engine.options, drive=replace(engine.options.drive, iso_program="false"))
    bench.driver._engine = replace(engine, options=options)


def _nothing(bench: Bench) -> None:
    """The order itself is what cannot be."""


def _never_plugged() -> None:
    raise errors.VirtualInterfaceCreateException()


_FAILURES: dict[str, tuple[Callable[[Bench], None], dict[str, Any], type[Exception]]] = {
    "no such image": (_no_image, {}, errors.ImageNotFound),
    "broken download": (_broken_download, {}, errors.CouldNotFetchImage),
    "hostile image": (_hostile_image, {}, errors.ImageUnacceptable),
    "no config drive": (_no_drive, {}, errors.ConfigDriveMountFailed),
    "user data that are none": (_nothing, {"instance": {"user_data": "abc"}}, ValueError),
    "no such machine": (_nothing, {"properties": {"hw_machine_type": "pdp-11"}}, errors.InvalidMachineType),
    "no switch": (_no_switch, {}, errors.VirtualInterfacePlugException),
    "more memory than there is": (_nothing, {"flavor": {"memory_mb": 1 << 26}}, errors.LibvirtFailed),
    "never plugged": (_nothing, {"wait_for_plugs": _never_plugged}, errors.VirtualInterfaceCreateException),
    "a volume": (
        _nothing,
        {"disks": (DiskSpec("volume", "/dev/vda", 1, boot_index=0, volume_id="v1", connection_info={}),)},
        errors.InvalidVolume,
    ),
}


@pytest.mark.parametrize("what", _FAILURES)
def test_a_spawn_that_fails_leaves_nothing(bench: Bench, what: str) -> None:
    arrange, order, error = _FAILURES[what]
    arrange(bench)
    spec = bench.spec(network_info=NetworkInfo([make_vif()]), **order)
    with pytest.raises(error):
        bench.driver.spawn(bench.context, spec)
    assert bench.leftovers(spec) == []
    assert bench.plugger.plugged == set()
    base = Path(bench.conf.instances_path) / "_base"
    assert not base.exists() or not list(base.glob("*.*"))
    # What the operation does next finds nothing to do.
    bench.driver.destroy(bench.context, spec)


def test_a_spawn_onto_disks_that_were_there_leaves_them(bench: Bench) -> None:
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    bench.driver.destroy(bench.context, spec, destroy_disks=False)
    assert (bench.files(spec) / "disk").exists() and not bench.is_defined(spec)
    with pytest.raises(errors.VirtualInterfaceCreateException):
        bench.driver.spawn(bench.context, replace(spec, wait_for_plugs=_never_plugged))
    assert (bench.files(spec) / "disk").exists() and not bench.is_defined(spec)
    bench.driver.spawn(bench.context, spec)


def test_what_is_to_be_new_is_not_made_of_old_disks(bench: Bench) -> None:
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    bench.driver.destroy(bench.context, spec, destroy_disks=False)
    before = (bench.files(spec) / "disk").read_bytes()
    with pytest.raises(errors.InstanceDeployFailure, match="still"):
        bench.driver.spawn(bench.context, replace(spec, is_new=True))
    assert not bench.is_defined(spec)
    assert (bench.files(spec) / "disk").read_bytes() == before
    bench.driver.destroy(bench.context, spec)
    bench.driver.spawn(bench.context, replace(spec, is_new=True))


# Power


def test_a_guest_that_does_not_listen_is_stopped_all_the_same(bench: Bench) -> None:
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    begun = time.monotonic()
    bench.driver.power_off(spec.instance, timeout_seconds=2, retry_seconds=1)
    assert bench.power_state(spec) == PowerState.SHUTDOWN
    assert time.monotonic() - begun >= 2
    bench.driver.power_off(spec.instance)


def test_a_hard_reboot_mends_what_is_missing(bench: Bench) -> None:
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    (base,) = (Path(bench.conf.instances_path) / "_base").iterdir()
    base.unlink()
    (bench.files(spec) / "disk.config").unlink()
    bench.virsh("destroy", str(spec.instance.uuid))
    bench.virsh("undefine", str(spec.instance.uuid))
    bench.driver.reboot(bench.context, spec, hard=True)
    assert bench.power_state(spec) == PowerState.RUNNING
    assert base.exists() and (bench.files(spec) / "disk.config").exists()
    assert bench.downloads == [IMAGE_ID, IMAGE_ID]


def test_of_bases_that_have_vanished_only_that_of_swap_is_made_anew(bench: Bench) -> None:
    """Another file system under an ephemeral disk would spoil it, so the guest is not even stopped."""
    spec = bench.spec(flavor={"ephemeral_gb": 1, "swap": 16})
    blank, swap = DiskSpec("blank", "/dev/vdb", 1), DiskSpec("swap", "/dev/vdc", None, swap_mib=16)
    spec = replace(spec, disks=(*spec.disks, blank, swap))
    bench.driver.spawn(bench.context, spec)
    cached = Path(bench.conf.instances_path) / "_base"
    (cached / "swap_16").unlink()
    bench.driver.reboot(bench.context, spec, hard=True)
    assert bench.power_state(spec) == PowerState.RUNNING
    assert (cached / "swap_16").exists()
    before = bench.driver.state(spec.instance).hypervisor_id
    (ephemeral,) = cached.glob("ephemeral_*")
    ephemeral.rename(bench.directory / "elsewhere")
    with pytest.raises(errors.DiskNotFound, match=f"{ephemeral}.*disk.eph0"):
        bench.driver.reboot(bench.context, spec, hard=True)
    assert bench.driver.state(spec.instance).hypervisor_id == before
    assert not ephemeral.exists()
    (bench.directory / "elsewhere").rename(ephemeral)
    bench.driver.reboot(bench.context, spec, hard=True)
    assert bench.power_state(spec) == PowerState.RUNNING


@pytest.mark.long
@pytest.mark.parametrize("lost", ["disk", "disk.eph0", ""], ids=["root", "ephemeral", "all"])
def test_what_a_guest_has_written_is_never_made_anew(bench: Bench, lost: str) -> None:
    """Nor is the guest stopped for it: it goes on with files that have no name any more."""
    spec = bench.spec(flavor={"ephemeral_gb": 1})
    spec = replace(spec, disks=(*spec.disks, DiskSpec("blank", "/dev/vdb", 1)))
    bench.driver.spawn(bench.context, spec)
    before = bench.driver.state(spec.instance).hypervisor_id
    (bench.files(spec) / lost).rename(bench.directory / "elsewhere")
    with pytest.raises(errors.DiskNotFound):
        bench.driver.reboot(bench.context, spec, hard=True)
    assert bench.driver.state(spec.instance).hypervisor_id == before
    bench.driver.power_off(spec.instance)
    with pytest.raises(errors.DiskNotFound):
        bench.driver.power_on(bench.context, spec)
    assert bench.power_state(spec) == PowerState.SHUTDOWN
    bench.virsh("undefine", str(spec.instance.uuid))
    with pytest.raises(errors.DiskNotFound):
        bench.driver.power_on(bench.context, spec)
    assert not (bench.files(spec) / lost).exists()
    (bench.directory / "elsewhere").rename(bench.files(spec) / lost)
    bench.driver.power_on(bench.context, spec)
    assert bench.power_state(spec) == PowerState.RUNNING


def test_a_hard_reboot_that_cannot_be_leaves_the_guest_as_it_runs(bench: Bench) -> None:
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    before = bench.driver.state(spec.instance).hypervisor_id
    bad = replace(spec, disks=(DiskSpec("volume", "/dev/vdb", 1, volume_id="v", connection_info={}),))
    with pytest.raises(errors.InvalidVolume):
        bench.driver.reboot(bench.context, bad, hard=True)
    assert bench.driver.state(spec.instance).hypervisor_id == before


def test_a_hard_reboot_that_fails_half_way_leaves_a_guest_that_can_be_tried_again(bench: Bench) -> None:
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    spec.instance.flavor.memory_mb = 1 << 26
    with pytest.raises(errors.LibvirtFailed):
        bench.driver.reboot(bench.context, spec, hard=True)
    assert bench.power_state(spec) == PowerState.SHUTDOWN
    spec.instance.flavor.memory_mb = 64
    bench.driver.reboot(bench.context, spec, hard=True)
    assert bench.power_state(spec) == PowerState.RUNNING


def test_a_soft_reboot_of_a_deaf_guest_becomes_a_hard_one(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(**{"libvirt.wait_soft_reboot_seconds": 1})
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    before = bench.driver.state(spec.instance).hypervisor_id
    bench.driver.reboot(bench.context, spec, hard=False)
    assert bench.power_state(spec) == PowerState.RUNNING
    assert bench.driver.state(spec.instance).hypervisor_id != before


def test_what_does_not_run_cannot_be_halted(bench: Bench) -> None:
    spec = bench.spec(power_on=False)
    bench.driver.spawn(bench.context, spec)
    for verb in (bench.driver.pause, bench.driver.unpause):
        with pytest.raises(errors.InstanceInvalidState):
            verb(spec.instance)
    with pytest.raises(errors.InstanceFaultRollback):
        bench.driver.suspend(bench.context, spec.instance)


def test_a_guest_that_nobody_sees_being_suspended(bench: Bench) -> None:
    """libvirt goes on without the agent; until the memory is whole it shows the guest as paused."""
    spec = bench.spec()
    driver, instance = bench.driver, spec.instance
    driver.spawn(bench.context, spec)
    seen: set[int] = set()

    def is_off() -> bool:
        assert not driver.is_suspended(instance) or bench.power_state(spec) == PowerState.SHUTDOWN
        seen.add(bench.power_state(spec))
        return PowerState.SHUTDOWN in seen

    for _ in range(3):
        seen.clear()
        saving = threading.Thread(target=bench.virsh, args=("managedsave", instance.uuid))
        saving.start()
        wait_for(is_off, "end of the suspension", 30)
        # At once: nobody may take it for one that is only off.
        assert driver.is_suspended(instance)
        saving.join()
        assert seen <= {PowerState.RUNNING, PowerState.PAUSED, PowerState.SHUTDOWN}
        driver.resume(bench.context, spec)
        assert bench.power_state(spec) == PowerState.RUNNING
        assert not driver.is_suspended(instance)
    driver.power_off(instance)
    assert not driver.is_suspended(instance)


@pytest.mark.parametrize("verb", ["pause", "unpause", "power_off", "state"])
def test_a_guest_that_is_gone(bench: Bench, verb: str) -> None:
    with pytest.raises(errors.InstanceNotFound):
        getattr(bench.driver, verb)(bench.spec().instance)


# libvirt itself


def test_nothing_is_removed_while_libvirt_is_silent(bench: Bench, own_libvirtd: OwnLibvirtd) -> None:
    spec = bench.spec(network_info=NetworkInfo([make_vif()]))
    bench.driver.spawn(bench.context, spec)
    plugged = set(bench.plugger.plugged)
    own_libvirtd.kill()
    try:
        for verb in (
            lambda: bench.driver.destroy(bench.context, spec),
            lambda: bench.driver.delete_instance_files(spec.instance),
            lambda: bench.driver.reboot(bench.context, spec, hard=True),
            lambda: bench.driver.power_off(spec.instance),
            lambda: bench.driver.states(),
        ):
            with pytest.raises(errors.HypervisorUnavailable):
                verb()
        assert (bench.files(spec) / "disk").exists()
        assert bench.plugger.plugged == plugged
    finally:
        own_libvirtd.start()
    wait_for(lambda: bench.driver._engine.connection.is_reachable, "connection", 30)
    assert bench.power_state(spec) == PowerState.RUNNING
    bench.driver.destroy(bench.context, spec)
    assert bench.leftovers(spec) == []


def test_libvirt_dies_while_a_guest_is_made(bench: Bench, own_libvirtd: OwnLibvirtd) -> None:
    """The guest runs, and nobody can be asked: its files stay until it can be ended."""
    spec = replace(bench.spec(), wait_for_plugs=own_libvirtd.kill)
    try:
        with pytest.raises(errors.HypervisorUnavailable):
            bench.driver.spawn(bench.context, spec)
        assert (bench.files(spec) / "disk").exists()
    finally:
        own_libvirtd.start()
    wait_for(lambda: bench.driver._engine.connection.is_reachable, "connection", 30)
    bench.driver.destroy(bench.context, spec)
    assert bench.leftovers(spec) == []


def test_libvirt_stands_still_while_a_guest_is_ended(bench: Bench, own_libvirtd: OwnLibvirtd) -> None:
    spec = bench.spec()
    bench.driver.spawn(bench.context, spec)
    own_libvirtd.freeze()
    go_on = threading.Timer(3, own_libvirtd.thaw)
    go_on.start()
    try:
        bench.driver.destroy(bench.context, spec)
    finally:
        go_on.join()
    assert bench.leftovers(spec) == []


# Names of devices


@pytest.mark.parametrize(
    ("properties", "names"),
    [
        ({}, ["/dev/vda", "/dev/vdb", "/dev/vdc"]),
        ({"hw_disk_bus": "scsi"}, ["/dev/sda", "/dev/sdb", "/dev/sdc"]),
        ({"hw_disk_bus": "ide"}, ["/dev/hda", "/dev/hdb", "/dev/hdc"]),
    ],
)
def test_disks_are_named_by_their_bus(bench: Bench, properties: dict[str, str], names: list[str]) -> None:
    disks = (
        DiskSpec("image", None, 1, boot_index=0, image_id=IMAGE_ID),
        DiskSpec("blank", None, 1),
        DiskSpec("swap", None, None, swap_mib=16),
    )
    spec = bench.spec(disks=disks, properties=properties)
    assert bench.driver.device_names(spec.instance, spec.image_meta, disks) == names


# Green threads


def test_the_hub_never_stands_still(own_libvirtd: OwnLibvirtd) -> None:
    """Neither libvirt nor the programs that work on images run on it, however long they take."""
    directory = _directory()
    slow = directory / "bin"
    slow.mkdir()
    for program in ("qemu-img", "genisoimage"):
        (slow / program).write_text(f'#!/bin/sh\nsleep 2\nexec {shutil.which(program)} "$@"\n')
        (slow / program).chmod(0o755)
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.libvirt.green_life", str(directory), own_libvirtd.uri()],
        env={**os.environ, "PATH": f"{slow}:{os.environ['PATH']}", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["spawn"][0] > 6
    assert {name: gap for name, (_, gap) in figures.items() if gap > 1} == {}
