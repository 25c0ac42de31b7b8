"""Images of real guests, made while they run and while they do not, and broken off in every way."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from computed import errors
from computed.states import PowerState
from computed.virt.libvirt.engine import Engine
from computed.virt.libvirt.snapshots import LibvirtSnapshots
from tests.integration.libvirt.lone_guest import MIB, LoneGuest, Target, make_engine, read_image, until
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where QEMU, which is another user, can reach its files."""
    made = Path(tempfile.mkdtemp(prefix="verbs-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def engine(own_libvirtd: OwnLibvirtd, directory: Path) -> Iterator[Engine]:
    made = make_engine(own_libvirtd, directory)
    made.connection.open()
    yield made
    made.connection.close()


@pytest.fixture
def driver(engine: Engine) -> LibvirtSnapshots:
    made = LibvirtSnapshots()
    made._engine = engine
    made.watch_over_snapshots()
    return made


@pytest.fixture
def make_guest(engine: Engine) -> Iterator[Any]:
    guests = []

    def make(**wishes: Any) -> LoneGuest:
        guests.append(LoneGuest(engine, **wishes))
        return guests[-1]

    yield make
    for guest in guests:
        guest.remove()


def left_of(engine: Engine) -> list[str]:
    directory = Path(engine.conf.libvirt.snapshots_directory)
    return [path.name for path in directory.iterdir()] if directory.exists() else []


def assert_as_before(guest: LoneGuest, state: PowerState) -> None:
    """Nothing is left, the guest is as it was, its disk is the same and nobody copies it."""
    assert left_of(guest.engine) == []
    assert guest.domain.state().power_state == state
    assert guest.domain.is_persistent()
    assert not guest.domain.has_managed_save()
    if guest.domain.is_active():
        assert guest.domain.block("vda").job() is None
        assert [disk.source and disk.source.file for disk in guest.domain.domain().disks] == [
            str(guest.paths.disk())
        ]


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
def test_a_stopped_guest(
    driver: LibvirtSnapshots, make_guest: Any, directory: Path, disk_format: str
) -> None:
    guest = make_guest(disk_format=disk_format)
    target = Target(directory / "image")
    driver.snapshot(None, guest.instance, target)
    assert (target.steps, target.disk_format) == (["extracting", "upload"], disk_format)
    assert read_image(target.path, disk_format) == guest.contents
    assert_as_before(guest, PowerState.SHUTDOWN)


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
@pytest.mark.parametrize("is_paused", [False, True])
def test_a_running_guest_goes_on(
    driver: LibvirtSnapshots, make_guest: Any, directory: Path, disk_format: str, is_paused: bool
) -> None:
    guest = make_guest(disk_format=disk_format)
    guest.boot()
    number = guest.domain.id
    if is_paused:
        guest.domain.pause()
    target = Target(directory / "image")
    driver.snapshot(None, guest.instance, target)
    assert read_image(target.path, disk_format) == guest.contents
    assert guest.domain.id == number  # the same process all the time
    assert_as_before(guest, PowerState.PAUSED if is_paused else PowerState.RUNNING)


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_running_guest_that_may_not_be_copied_live_sleeps_meanwhile(
    driver: LibvirtSnapshots, engine: Engine, make_guest: Any, directory: Path, is_paused: bool
) -> None:
    engine.conf.set_override("disable_libvirt_livesnapshot", True, group="workarounds")
    guest = make_guest()
    guest.boot()
    if is_paused:
        guest.domain.pause()
    states = []
    target = Target(directory / "image", at_upload=lambda: states.append(guest.domain.state().power_state))
    driver.snapshot(None, guest.instance, target)
    state = PowerState.PAUSED if is_paused else PowerState.RUNNING
    assert states == [state]  # it does not sleep while the image travels
    assert read_image(target.path, "qcow2") == guest.contents
    assert_as_before(guest, state)
    assert guest.log.read_bytes().count(b"LONE GUEST") <= 1  # it went on, and did not boot


def test_format_and_compression_are_as_configured(
    driver: LibvirtSnapshots, engine: Engine, make_guest: Any, directory: Path
) -> None:
    guest = make_guest(data_mib=1)
    for image_format, compresses in (("raw", True), ("qcow2", True), ("qcow2", False), ("vmdk", False)):
        engine.conf.set_override("snapshot_image_format", image_format, group="libvirt")
        engine.conf.set_override("snapshot_compression", compresses, group="libvirt")
        target = Target(directory / f"{image_format}-{compresses}")
        driver.snapshot(None, guest.instance, target)
        assert target.disk_format == image_format
        assert read_image(target.path, image_format) == guest.contents


def test_the_format_of_a_guest_without_a_record_is_that_of_its_definition(
    driver: LibvirtSnapshots, make_guest: Any, directory: Path
) -> None:
    guest = make_guest()
    guest.paths.disk_info.unlink()
    driver.snapshot(None, guest.instance, Target(directory / "image"))
    assert f'"{guest.paths.disk()}": "qcow2"' in guest.paths.disk_info.read_text()


def test_no_guest_no_image(driver: LibvirtSnapshots, make_guest: Any, directory: Path) -> None:
    guest = make_guest()
    guest.domain.undefine()
    target = Target(directory / "image")
    with pytest.raises(errors.InstanceNotRunning):
        driver.snapshot(None, guest.instance, target)
    assert target.steps == []
    guest.domain = guest.engine.connection.define(_defined(guest))


def _defined(guest: LoneGuest) -> str:
    return f"<domain type='qemu'><name>{guest.instance.name}</name><uuid>{guest.instance.uuid}</uuid>" + (
        "<memory>16384</memory><os><type>hvm</type></os></domain>"
    )


@pytest.mark.parametrize("is_running", [False, True])
def test_an_upload_that_breaks_leaves_nothing(
    driver: LibvirtSnapshots, make_guest: Any, directory: Path, is_running: bool
) -> None:
    guest = make_guest()
    if is_running:
        guest.boot()
    with pytest.raises(ConnectionResetError):
        driver.snapshot(None, guest.instance, Target(directory / "image", breaks_after=2))
    assert_as_before(guest, PowerState.RUNNING if is_running else PowerState.SHUTDOWN)


def test_an_image_that_insists_on_quiet_guests_is_refused_without_an_agent(
    driver: LibvirtSnapshots, make_guest: Any, directory: Path
) -> None:
    guest = make_guest(properties={"os_require_quiesce": True})
    guest.boot()
    target = Target(directory / "image")
    with pytest.raises(errors.QemuGuestAgentNotEnabled):
        driver.snapshot(None, guest.instance, target)
    assert target.steps == []
    assert_as_before(guest, PowerState.RUNNING)


AGENT = """<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"""


@pytest.mark.parametrize("must", [False, True])
def test_an_agent_that_does_not_answer(
    driver: LibvirtSnapshots, make_guest: Any, directory: Path, must: bool
) -> None:
    guest = make_guest(properties={"hw_qemu_guest_agent": True, "os_require_quiesce": must}, devices=AGENT)
    guest.boot()
    with pytest.raises(errors.InstanceQuiesceFailed, match="does not answer"):
        driver.quiesce(None, guest.instance, guest.instance.image_meta)
    target = Target(directory / "image")
    if must:
        with pytest.raises(errors.InstanceQuiesceFailed):
            driver.snapshot(None, guest.instance, target)
        assert target.steps == ["extracting"]
    else:
        driver.snapshot(None, guest.instance, target)
        assert read_image(target.path, "qcow2") == guest.contents
    assert_as_before(guest, PowerState.RUNNING)


class Snapshot:
    """A snapshot in a thread, whose copy is as good as stopped."""

    def __init__(self, driver: LibvirtSnapshots, guest: LoneGuest, target: Target) -> None:
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(driver, guest, target))
        self._thread.start()
        slow = until("the copy begins", lambda: self._slow_down(guest), 30)
        assert slow

    def _run(self, driver: LibvirtSnapshots, guest: LoneGuest, target: Target) -> None:
        try:
            driver.snapshot(None, guest.instance, target)
        except BaseException as error:
            self.error = error

    @staticmethod
    def _slow_down(guest: LoneGuest) -> bool:
        try:
            guest.domain.call("blockJobSetSpeed", "vda", 1, 0)  # MiB/s
        except errors.LibvirtFailed:
            return False
        return True

    def wait(self) -> BaseException | None:
        self._thread.join(90)
        assert not self._thread.is_alive()
        return self.error


def test_a_guest_that_stops_in_the_middle_is_copied_from_its_disk(
    driver: LibvirtSnapshots, make_guest: Any, directory: Path
) -> None:
    guest = make_guest(data_mib=64)
    guest.boot()
    target = Target(directory / "image")
    snapshot = Snapshot(driver, guest, target)
    guest.domain.destroy()
    assert snapshot.wait() is None
    assert read_image(target.path, "qcow2") == guest.contents
    assert_as_before(guest, PowerState.SHUTDOWN)


def test_a_guest_that_goes_away_in_the_middle(
    driver: LibvirtSnapshots, make_guest: Any, directory: Path
) -> None:
    guest = make_guest(data_mib=64)
    guest.boot()
    target = Target(directory / "image")
    snapshot = Snapshot(driver, guest, target)
    guest.domain.undefine()
    guest.domain.destroy()
    assert isinstance(snapshot.wait(), errors.InstanceNotFound)
    assert target.steps == ["extracting"]
    assert left_of(guest.engine) == []
    guest.domain = guest.engine.connection.define(_defined(guest))


@pytest.mark.parametrize("is_running", [False, True])
def test_a_full_disk(engine: Engine, small: Path, make_guest: Any, directory: Path, is_running: bool) -> None:
    guest = make_guest(data_mib=32)
    if is_running:
        guest.boot()
    engine.conf.set_override("snapshots_directory", str(small), group="libvirt")
    driver = LibvirtSnapshots()
    driver._engine = engine
    with pytest.raises((errors.LibvirtFailed, errors.ImageToolFailed), match=r"full|No space"):
        driver.snapshot(None, guest.instance, Target(directory / "image"))
    assert_as_before(guest, PowerState.RUNNING if is_running else PowerState.SHUTDOWN)


def test_libvirtd_killed_in_the_middle(
    driver: LibvirtSnapshots, own_libvirtd: OwnLibvirtd, make_guest: Any, directory: Path
) -> None:
    guest = make_guest(data_mib=64)
    guest.boot()
    target = Target(directory / "image")
    snapshot = Snapshot(driver, guest, target)
    own_libvirtd.kill()
    error = snapshot.wait()
    own_libvirtd.start()
    assert isinstance(error, errors.HypervisorUnavailable)
    assert target.steps == ["extracting"]
    until("everything is tidy again", lambda: left_of(guest.engine) == [], 60)
    assert_as_before(guest, PowerState.RUNNING)
    again = Target(directory / "again")
    driver.snapshot(None, guest.instance, again)
    assert read_image(again.path, "qcow2") == guest.contents


def test_an_agent_killed_in_the_middle_tidies_up_when_it_starts(
    driver: LibvirtSnapshots, own_libvirtd: OwnLibvirtd, make_guest: Any, directory: Path
) -> None:
    """What it leaves is made by hand: a copy that goes on, and another guest that sleeps."""
    copied, asleep = make_guest(data_mib=64), make_guest()
    rooms = Path(copied.engine.conf.libvirt.snapshots_directory)
    for guest in (copied, asleep):
        guest.boot()
    with driver._rooms.room(copied.instance.uuid) as room:
        name = room.name
    room = rooms / name
    room.mkdir(0o711)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(room / "copy"), "65M"], check=True)
    copied.domain.block("vda").copy(
        f"<disk type='file'><driver type='qcow2'/><source file='{room}/copy'/></disk>", reuse=True
    )
    copied.domain.call("blockJobSetSpeed", "vda", 1, 0)
    bed = rooms / name.replace(copied.instance.uuid, asleep.instance.uuid)
    bed.mkdir()
    (bed / "asleep").write_text("1")
    asleep.domain.managed_save()
    (rooms / "somebody-else").mkdir()
    time.sleep(0.5)
    restarted = make_engine(own_libvirtd, directory)
    other = LibvirtSnapshots()
    other._engine = restarted
    other.watch_over_snapshots()
    restarted.connection.open()
    until("everything is tidy again", lambda: left_of(copied.engine) == ["somebody-else"])
    restarted.connection.close()
    (rooms / "somebody-else").rmdir()
    for guest in (copied, asleep):
        assert_as_before(guest, PowerState.RUNNING)
    assert copied.size == 65 * MIB
