"""What a host does to guests: full and read-only disks, vanished files, a libvirtd that stands still or dies.

The operation fails or waits with the cause named, nothing of it is left over, and other guests go on.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from computed.embedded.images import FORMATS
from tests.integration.libvirt.alone import AloneCloud
from tests.integration.libvirt.boot_sector import partitioned_disk
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd
from tests.integration.plane import waiting
from tests.unit.virt.libvirt.storage.hostile import ATTACKS, SECRET

MakeAlone = Callable[..., AloneCloud]
#: what an agent takes to hear that libvirt is silent (25 s), and to come back from it
SETTLE_SECONDS = 120.0


def put_image(cloud: AloneCloud, name: str, data: bytes | None = None, disk_format: str = "raw") -> None:
    """As who copies a file into the directory: nobody looks at it before it is booted."""
    (cloud.images / f"{name}.{disk_format}").write_bytes(partitioned_disk() if data is None else data)


def settled(cloud: AloneCloud, name: str) -> str:
    """The status of a server when nothing is being done to it any more."""

    def probe() -> str:
        found = cloud.server(name)
        if found["task_state"] is not None or found["status"] == "BUILD":
            raise waiting.NotYet(f"{found['status']} {found['task_state']}")
        return str(found["status"])

    return waiting.until(f"{name} has settled", probe, SETTLE_SECONDS, 0.3)


def fault(cloud: AloneCloud, name: str) -> str:
    """Why a server is in ERROR."""
    return str(cloud.settled(name, "ERROR")["fault"]["message"])


@pytest.fixture
def cloud(make_alone: MakeAlone) -> AloneCloud:
    made = make_alone("shutdown_timeout = 1\n[DEFAULT]\ndisk_allocation_ratio = 16\n")
    put_image(made, "sector")
    return made


@pytest.fixture
def bystander(cloud: AloneCloud) -> Iterator[str]:
    """A guest that has nothing to do with it and must run on as the same process."""
    cloud.create("bystander", "sector", network="none")
    cloud.settled("bystander", "ACTIVE")
    before = _pid_of(cloud, "instance-00000001")
    yield "bystander"
    assert _pid_of(cloud, "instance-00000001") == before
    assert cloud.settled("bystander", "ACTIVE", SETTLE_SECONDS)["power_state"] == "running"
    cloud.ctl("server", "delete", "bystander", "--wait")
    assert cloud.leftovers() == {}
    assert set(cloud.used().values()) == {0}


def _pid_of(cloud: AloneCloud, domain: str) -> str:
    pid = (cloud.libvirtd.directory / "run" / "qemu" / f"{domain}.pid").read_text()
    assert Path(f"/proc/{pid.strip()}").exists()
    return pid


# Images


def test_hostile_images_end_in_error_with_the_reason_and_the_cache_is_clean(cloud: AloneCloud) -> None:
    attacks = [attack for attack in ATTACKS if attack.declared in FORMATS]
    assert len(attacks) > 20
    for number, attack in enumerate(attacks):
        put_image(cloud, f"attack{number}", attack.contents(), attack.declared)
        cloud.create(f"victim{number}", f"attack{number}", network="none")
    for number, attack in enumerate(attacks):
        said = fault(cloud, f"victim{number}")
        assert "is refused" in said or "larger" in said or "No" in said, (attack.name, said)
    for path in cloud.instances.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    cloud.ctl("server", "delete", *(f"victim{number}" for number in range(len(attacks))), "--wait", "120")
    assert cloud.leftovers() == {}
    base = cloud.instances / "_base"
    assert not base.exists() or [path.name for path in base.iterdir()] == []


def test_a_base_that_has_vanished_is_fetched_again(cloud: AloneCloud) -> None:
    cloud.create("lost", "sector", network="none")
    cloud.settled("lost", "ACTIVE")
    cloud.ctl("server", "stop", "lost", "--wait")
    for path in (cloud.instances / "_base").iterdir():
        path.unlink()
    cloud.ctl("server", "start", "lost", "--wait")
    assert cloud.said("lost", "ready").values["mode"] == "real"
    cloud.ctl("server", "delete", "lost", "--wait")
    assert cloud.leftovers() == {}


# Disks


@pytest.fixture
def small_disk(cloud: AloneCloud) -> Iterator[Path]:
    """The directory of instances as a file system of its own, of little more than 1 GiB."""
    cloud.instances.mkdir(exist_ok=True)
    assert cloud.stop() == 0
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1100m,mode=755", "none", cloud.instances], check=True, timeout=20
    )
    cloud.start()
    yield cloud.instances
    cloud.sweep()
    subprocess.run(["umount", "-l", cloud.instances], check=True, timeout=20)


def test_a_full_disk_fails_the_build_and_is_enough_again_later(
    small_disk: Path, cloud: AloneCloud, bystander: str
) -> None:
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(bytes(1 << 20))
            file.flush()
    put_image(cloud, "other", partitioned_disk() + b"more" * 100_000)
    cloud.create("full", "other", network="none")
    assert "No space left on device" in fault(cloud, "full")
    cloud.ctl("server", "delete", "full", "--wait")
    assert [path.name for path in small_disk.glob("_base/*.part")] == []
    filler.unlink()
    cloud.create("fits", "other", network="none")
    cloud.settled("fits", "ACTIVE")
    cloud.ctl("server", "delete", "fits", "--wait")


def test_a_read_only_disk_fails_the_build_with_its_name(
    small_disk: Path, cloud: AloneCloud, bystander: str
) -> None:
    # On top of itself: whoever has files open there already writes on.
    subprocess.run(["mount", "--bind", small_disk, small_disk], check=True, timeout=20)
    subprocess.run(["mount", "-o", "remount,bind,ro", small_disk], check=True, timeout=20)
    try:
        cloud.create("sealed", "sector", network="none")
        assert "Read-only file system" in fault(cloud, "sealed")
    finally:
        subprocess.run(["umount", "-l", small_disk], check=True, timeout=20)
    cloud.ctl("server", "delete", "sealed", "--wait")


# libvirtd


@contextlib.contextmanager
def _stopped(libvirtd: OwnLibvirtd) -> Iterator[None]:
    """For longer than the agent believes that it is only slow."""
    libvirtd.freeze()
    try:
        yield
        time.sleep(30)
    finally:
        libvirtd.thaw()


@contextlib.contextmanager
def _killed(libvirtd: OwnLibvirtd) -> Iterator[None]:
    libvirtd.kill()
    yield
    time.sleep(4)
    libvirtd.start()


Break = Callable[[OwnLibvirtd], AbstractContextManager[None]]
HOW: dict[str, Break] = {"stopped": _stopped, "killed": _killed}


ON_GUESTS = ("stop", "start", "reboot", "delete")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", HOW)
def test_verbs_outlive_libvirtd_or_fail_by_its_name(how: str, cloud: AloneCloud, bystander: str) -> None:
    """All at once, each on a server that is called after it."""
    for name in ON_GUESTS:
        cloud.create(name, "sector", network="none")
    for name in ON_GUESTS:
        cloud.settled(name, "ACTIVE")
    cloud.ctl("server", "stop", "start", "--wait")
    with HOW[how](cloud.libvirtd):
        cloud.create("create", "sector", network="none")
        for verb in ON_GUESTS:
            _order(cloud, verb)
        time.sleep(1)
        assert cloud.server("bystander")["status"] == "ACTIVE"
    remaining = ("create", "stop", "start", "reboot")
    statuses = {name: settled(cloud, name) for name in remaining}
    waiting.until("libvirt is reached again", lambda: _again(cloud), SETTLE_SECONDS, 1)
    for name in [name for name, status in statuses.items() if status == "ERROR"]:
        said = cloud.server(name)["fault"]["message"]
        assert "libvirt" in said.lower() or "hypervisor" in said.lower(), (name, said)
    _finish_delete(cloud)
    cloud.ctl("server", "delete", *remaining, "--wait", "90")


def _order(cloud: AloneCloud, verb: str) -> None:
    if verb == "delete":
        cloud.client.delete(verb)
    else:
        options = {"hard": True} if verb == "reboot" else {}
        cloud.client.act(verb, verb, **options)


def _again(cloud: AloneCloud) -> None:
    if cloud.log.read_text().rpartition("libvirt lost")[2].count("Connected to libvirt") == 0:
        raise waiting.NotYet(cloud.tail())


def _finish_delete(cloud: AloneCloud) -> None:
    """A deletion that could not be done is in ERROR, and done when it is asked for again."""

    def probe() -> None:
        found = [server for server in cloud.client.servers() if server["name"] == "delete"]
        if not found:
            return
        if found[0]["status"] == "ERROR" and found[0]["task_state"] is None:
            cloud.client.delete("delete")
        raise waiting.NotYet(f"{found[0]['status']} {found[0]['task_state']}")

    waiting.until("the server is gone", probe, SETTLE_SECONDS, 1)


def test_many_boots_of_one_image_at_once_all_succeed(cloud: AloneCloud) -> None:
    names = [f"many{number}" for number in range(6)]
    threads = [
        threading.Thread(target=cloud.create, args=(name, "sector"), kwargs={"network": "none"})
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for name in names:
        cloud.settled(name, "ACTIVE")
    assert len(list((cloud.instances / "_base").iterdir())) == 1
    cloud.ctl("server", "delete", *names, "--wait", "90")
    assert cloud.leftovers() == {}
    shutil.rmtree(cloud.instances / "_base")
