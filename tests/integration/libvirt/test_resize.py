"""Guests that become another size on the same host: confirmed, reverted, refused and cut off."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from computed import errors
from computed.states import PowerState
from computed.virt.libvirt.storage import kept
from computed.virt.specs import DiskSpec, GuestSpec
from tests.integration.libvirt.bench import IMAGE_ID, Bench, make_flavor, wait_for
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd

GIB = 1 << 30
HERE = SimpleNamespace(
    uuid="m1", source_compute="bench", dest_compute="bench", dest_host="192.0.2.1", source_node="bench"
)
AWAY = SimpleNamespace(uuid="m2", source_compute="bench", dest_compute="other", dest_host="127.0.0.1")
LARGER = {"id": 2, "root_gb": 2, "ephemeral_gb": 1, "swap": 32}


@pytest.fixture
def make_bench(own_libvirtd: OwnLibvirtd) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(**options: Any) -> Bench:
        directory = Path(tempfile.mkdtemp(prefix="verbs-bench-"))
        directory.chmod(0o711)
        made.append(Bench(directory, **{"libvirt.connection_uri": own_libvirtd.uri(), **options}))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture
def spec(bench: Bench) -> GuestSpec:
    """A running guest."""
    return spawned(bench)


def spawned(bench: Bench, *more: DiskSpec) -> GuestSpec:
    made = bench.spec()
    made = replace(made, disks=(*made.disks, *more))
    bench.driver.spawn(bench.context, made)
    wait_for(lambda: "HELLO" in bench.console(made), "greeting", 60)
    return made


def larger(spec: GuestSpec) -> GuestSpec:
    """The guest as the destination is told of it."""
    instance = spec.instance
    instance.old_flavor, instance.flavor = instance.flavor, make_flavor(**LARGER)
    root = DiskSpec("image", "/dev/vda", 2, boot_index=0, image_id=IMAGE_ID)
    return replace(
        spec, disks=(root, DiskSpec("blank", "/dev/vdb", 1), DiskSpec("swap", "/dev/vdc", None, swap_mib=32))
    )


def leave(bench: Bench, spec: GuestSpec, migration: Any = HERE, flavor: Any = None) -> str | None:
    told: str | None = bench.driver.migrate_disk_and_power_off(
        bench.context, spec, migration, flavor or make_flavor(**LARGER), timeout_seconds=0
    )
    return told


def sizes(bench: Bench, spec: GuestSpec) -> dict[str, int]:
    engine = bench.driver._engine
    paths = engine.paths(spec.instance)
    names = ("disk", "disk.eph0", "disk.swap")
    found = [paths.disk(name) for name in names if paths.disk(name).exists()]
    return {path.name: engine.disks.info(paths, path).virtual_size_bytes for path in found}


def kept_directory(bench: Bench, spec: GuestSpec) -> Path:
    return bench.files(spec).with_name(f"{spec.instance.uuid}_resize")


def process(bench: Bench, spec: GuestSpec) -> str | None:
    number: str | None = bench.driver.state(spec.instance).hypervisor_id
    return number


def test_a_larger_guest_is_confirmed(bench: Bench, spec: GuestSpec) -> None:
    assert bench.driver.has_volumes(spec.instance) is False
    bench.files(spec).joinpath("disk").stat()
    told = leave(bench, spec)
    assert bench.power_state(spec) == PowerState.SHUTDOWN
    names = {"disk", "disk.info", "disk.config"}
    assert {path.name for path in kept_directory(bench, spec).iterdir()} == {*names, "console.log"}
    assert {path.name for path in bench.files(spec).iterdir()} == names
    assert told is not None and '"type": "qcow2"' in told
    new = larger(spec)
    bench.driver.finish_migration(bench.context, new, HERE, told, resize_disks=True)
    wait_for(lambda: "HELLO" in bench.console(new), "greeting", 60)
    assert sizes(bench, new) == {"disk": 2 * GIB, "disk.eph0": GIB, "disk.swap": 32 << 20}
    # The same again, as after a restart of the agent.
    bench.driver.finish_migration(bench.context, new, HERE, None, resize_disks=True)
    assert bench.power_state(new) == PowerState.RUNNING
    bench.driver.confirm_migration(bench.context, new, HERE)
    bench.driver.confirm_migration(bench.context, new, HERE)
    assert not kept_directory(bench, spec).exists()
    assert bench.power_state(new) == PowerState.RUNNING


@pytest.mark.parametrize("is_running", [True, False])
def test_a_larger_guest_is_reverted(bench: Bench, spec: GuestSpec, is_running: bool) -> None:
    disk = bench.files(spec) / "disk"
    told = leave(bench, spec)
    before = (kept_directory(bench, spec) / "disk").read_bytes()
    new = larger(spec)
    bench.driver.finish_migration(bench.context, new, HERE, told, resize_disks=True)
    bench.driver.destroy(bench.context, new, destroy_disks=False)
    spec.instance.flavor = spec.instance.old_flavor
    old = replace(spec, power_on=is_running)
    bench.driver.finish_revert_migration(bench.context, old, HERE)
    assert bench.power_state(old) == (PowerState.RUNNING if is_running else PowerState.SHUTDOWN)
    assert sizes(bench, old) == {"disk": GIB}
    if not is_running:
        assert disk.read_bytes() == before
    assert not kept_directory(bench, spec).exists()
    bench.driver.finish_revert_migration(bench.context, old, HERE)


def test_a_stopped_guest_of_the_same_disks_stays_stopped(bench: Bench, spec: GuestSpec) -> None:
    bench.driver.power_off(spec.instance)
    told = leave(bench, spec, flavor=make_flavor(id=3, memory_mb=128))
    spec.instance.flavor = make_flavor(id=3, memory_mb=128)
    bench.driver.finish_migration(
        bench.context, replace(spec, power_on=False), HERE, told, resize_disks=False
    )
    assert bench.power_state(spec) == PowerState.SHUTDOWN
    domain = bench.driver._engine.connection.guest(spec.instance.uuid).domain()
    assert domain.memory_kib == 128 * 1024
    assert sizes(bench, spec) == {"disk": GIB}


@pytest.mark.parametrize(
    ("more", "flavor"),
    [((), {"root_gb": 0}), ((DiskSpec("blank", "/dev/vdb", 2),), {"root_gb": 1, "ephemeral_gb": 1})],
)
def test_disks_do_not_shrink(bench: Bench, more: tuple[DiskSpec, ...], flavor: dict[str, int]) -> None:
    spec = spawned(bench, *more)
    number = process(bench, spec)
    with pytest.raises(errors.InstanceFaultRollback, match="smaller") as caught:
        leave(bench, spec, flavor=make_flavor(id=4, **flavor))
    assert isinstance(caught.value.inner_exception, errors.ResizeError)
    assert (process(bench, spec), bench.power_state(spec)) == (number, PowerState.RUNNING)


def test_a_host_that_does_not_let_us_in_changes_nothing(bench: Bench, spec: GuestSpec) -> None:
    """Nobody listens there for ssh; where somebody does, he knows no key of ours."""
    number = process(bench, spec)
    with pytest.raises(errors.InstanceFaultRollback, match="ssh") as caught:
        leave(bench, spec, AWAY)
    assert isinstance(caught.value.inner_exception, errors.ResizeError)
    assert process(bench, spec) == number
    assert not kept_directory(bench, spec).exists()


@pytest.mark.long
def test_a_full_disk_lets_the_guest_go_on(make_bench: Callable[..., Bench], small: Path) -> None:
    instances = small / "instances"
    bench = make_bench(instances_path=str(instances))
    try:
        spec = spawned(bench)
        free = os.statvfs(instances)
        (small / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize - 65536))
        before = {path.name for path in bench.files(spec).iterdir()}
        with pytest.raises(errors.InstanceFaultRollback, match="No space"):
            leave(bench, spec)
        assert bench.power_state(spec) == PowerState.RUNNING
        assert {path.name for path in bench.files(spec).iterdir()} == before
        assert not kept_directory(bench, spec).exists()
        bench.driver.destroy(bench.context, spec)
    finally:
        (small / "filler").unlink(missing_ok=True)


def test_a_resize_that_a_restart_cuts_off_is_put_back(bench: Bench, spec: GuestSpec) -> None:
    bench.driver.power_off(spec.instance)
    paths = bench.driver._engine.paths(spec.instance)
    before = paths.disk().read_bytes()
    kept.set_aside(paths, begin_anew=True)
    paths.disk().write_bytes(b"half of it")
    bench.driver.finish_revert_migration(bench.context, replace(spec, power_on=False), None)
    assert paths.disk().read_bytes() == before
    assert not kept_directory(bench, spec).exists()


def test_a_revert_does_not_make_lost_disks_anew(bench: Bench, spec: GuestSpec) -> None:
    leave(bench, spec)
    shutil.rmtree(kept_directory(bench, spec))
    shutil.rmtree(bench.files(spec))
    with pytest.raises(errors.DiskNotFound):
        bench.driver.finish_revert_migration(bench.context, spec, HERE)
    assert not bench.files(spec).exists()


def test_what_an_older_resize_has_left_is_never_taken_for_the_guest(bench: Bench, spec: GuestSpec) -> None:
    bench.driver.power_off(spec.instance)
    paths = bench.driver._engine.paths(spec.instance)
    before = paths.disk().read_bytes()
    paths.resize_directory.mkdir()
    (paths.resize_directory / "disk").write_bytes(b"of last year")
    bench.driver.finish_revert_migration(bench.context, replace(spec, power_on=False), None)
    assert paths.disk().read_bytes() == before
    leave(bench, spec)
    assert (kept_directory(bench, spec) / "disk").read_bytes() == before


def test_a_guest_that_is_gone(bench: Bench, spec: GuestSpec) -> None:
    bench.driver.destroy(bench.context, spec, destroy_disks=False)
    with pytest.raises(errors.InstanceNotFound):
        leave(bench, spec)
    assert (bench.files(spec) / "disk").exists()
    assert bench.driver.has_volumes(spec.instance) is True  # nobody knows


class Images(dict[str, Any]):
    """An image service that knows what it does not have."""

    def __missing__(self, image_id: str) -> Any:
        raise errors.ImageNotFound(image_id=image_id)


@pytest.mark.long
def test_a_guest_that_comes_from_elsewhere_brings_what_its_disks_lie_on(
    make_bench: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its image is gone. The other host is this one, with its cache in another directory."""
    bench = make_bench(**{"libvirt.remote_filesystem_transport": "rsync"})
    spec = spawned(bench, DiskSpec("blank", "/dev/vdb", 1))
    bench.driver.power_off(spec.instance)
    base, elsewhere = bench.driver._engine.cache.paths.base, tmp_path / "base-of-another-host"
    names = {path.name for path in base.iterdir()}
    assert len(names) == 2
    base.rename(elsewhere)
    shell = tmp_path / "shell"
    there = f"s#{base}/#{elsewhere}/#g"
    shell.write_text(f'#!/bin/sh\nshift\nexec sh -c "$(echo "$*" | sed \'{there}\')"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("RSYNC_RSH", str(shell))
    bench.images = Images()
    came = SimpleNamespace(uuid="m3", source_compute="another", dest_compute="bench", dest_host="192.0.2.1")
    bench.driver.finish_migration(bench.context, spec, came, "[]", resize_disks=False)
    wait_for(lambda: "HELLO" in bench.console(spec), "greeting", 60)
    assert {path.name for path in base.iterdir()} == names


def test_a_raw_disk_that_comes_to_a_host_of_qcow2_disks_becomes_one(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(**{"libvirt.images_type": "raw"})
    spec = spawned(bench)
    bench.driver.power_off(spec.instance)
    paths = bench.driver._engine.paths(spec.instance)
    assert bench.driver._engine.disks.info(paths, paths.disk()).format == "raw"
    engine = bench.driver._engine
    bench.driver._engine = replace(
        engine, options=replace(engine.options, storage=replace(engine.options.storage, local_format="qcow2"))
    )
    came = SimpleNamespace(uuid="m3", source_compute="another", dest_compute="bench", dest_host="192.0.2.1")
    bench.driver.finish_migration(bench.context, spec, came, "[]", resize_disks=False)
    wait_for(lambda: "HELLO" in bench.console(spec), "greeting", 60)
    assert bench.driver._engine.disks.info(paths, paths.disk()).format == "qcow2"


def test_storage_that_is_shared_is_seen(bench: Bench, spec: GuestSpec) -> None:
    driver = bench.driver
    mark = driver.mark_storage(bench.context, spec.instance)
    assert mark is not None and driver.sees_shared_storage(bench.context, mark)
    driver.unmark_storage(bench.context, mark)
    assert not driver.sees_shared_storage(bench.context, mark)
    assert not driver.sees_shared_storage(bench.context, {"filename": "/etc/passwd"})
    driver.unmark_storage(bench.context, {"filename": "/etc/passwd"})
    assert Path("/etc/passwd").exists()
    bench.driver.destroy(bench.context, spec)
    assert driver.mark_storage(bench.context, spec.instance) is None


@pytest.mark.long
def test_libvirtd_is_killed_and_the_leg_is_done_again(
    bench: Bench, spec: GuestSpec, own_libvirtd: OwnLibvirtd
) -> None:
    told = leave(bench, spec)
    new = larger(spec)
    own_libvirtd.kill()
    try:
        with pytest.raises(errors.HypervisorUnavailable):
            bench.driver.finish_migration(bench.context, new, HERE, told, resize_disks=True)
    finally:
        own_libvirtd.start()

    def again() -> bool:
        try:
            bench.driver.finish_migration(bench.context, new, HERE, None, resize_disks=True)
        except errors.HypervisorUnavailable:
            return False
        return True

    wait_for(again, "libvirt that is back", 60)
    assert bench.power_state(new) == PowerState.RUNNING
    assert sizes(bench, new)["disk"] == 2 * GIB
