"""What libvirt says unasked arrives, in order, in our kind of thread, also after libvirt was lost."""

from __future__ import annotations

import re
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from computed import errors
from computed.states import PowerState
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.connection import Connection
from computed.virt.libvirt.events import Events, JobEnd, Removal
from computed.virt.libvirt.guest import Guest
from computed.virt.specs import LifecycleEvent
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd
from tests.integration.libvirt.spectator import LEAST_DOMAIN, Spectator, until

MIB = 1 << 20
# It is started paused and never runs: no firmware takes a core for it, and its disk stays as it is.
QEMU_DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <controller type='usb' model='ich9-ehci1'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""
TABLET = "<input type='tablet' bus='usb'/>"


class Told:
    """Collects lifecycle events of one guest."""

    def __init__(self, events: Events) -> None:
        self.events: list[LifecycleEvent] = []
        self.threads: set[str] = set()
        events.on_lifecycle(self.note)

    def note(self, event: LifecycleEvent) -> None:
        self.events.append(event)
        self.threads.add(threading.current_thread().name)

    def names(self, guest: Guest) -> list[str]:
        found = [event.name for event in self.events if event.uuid == guest.uuid]
        return [name.removeprefix("EVENT_LIFECYCLE_") for name in found]


@pytest.fixture
def libvirtd(root_libvirtd: OwnLibvirtd) -> Iterator[OwnLibvirtd]:
    yield root_libvirtd
    root_libvirtd.recover()


@pytest.fixture
def connection(libvirtd: OwnLibvirtd) -> Iterator[Connection]:
    made = Spectator().connect(libvirtd.uri("test:///default"))
    yield made
    made.close()


@pytest.fixture
def machines(libvirtd: OwnLibvirtd) -> Iterator[Connection]:
    """QEMU of the test's own daemon; its guests are ended with the test."""
    made = Spectator().connect(libvirtd.uri("qemu:///system"))
    yield made
    for guest in made.guests():
        guest.destroy()
        guest.undefine()
    made.close()


@pytest.fixture
def machine(machines: Connection, tmp_path: Path) -> Guest:
    """A guest of QEMU, paused, with a disk of 8 MiB."""
    disk = tmp_path / "disk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "8M"], check=True, timeout=30)
    guest = machines.define(QEMU_DOMAIN.format(name=f"paused-{uuid.uuid4().hex[:6]}", disk=disk))
    guest.start(paused=True)
    return guest


def live_through(guest: Guest) -> None:
    guest.start()
    guest.pause()
    guest.resume()
    guest.destroy()


def test_a_life_in_events(connection: Connection) -> None:
    events = Events(connection)
    told = Told(events)
    guest = connection.define(LEAST_DOMAIN.format(name="eventful"))
    before = time.time()
    live_through(guest)
    until(lambda: len(told.names(guest)) == 4, "four events")
    assert told.names(guest) == ["STARTED", "PAUSED", "RESUMED", "STOPPED"]
    assert [event.power_state for event in told.events] == [
        PowerState.RUNNING,
        PowerState.PAUSED,
        PowerState.RUNNING,
        PowerState.SHUTDOWN,
    ]
    assert all(before <= event.timestamp <= time.time() for event in told.events)
    assert told.threads == {"libvirt-connection"}
    events.on_lifecycle(None)
    guest.start()
    time.sleep(0.3)
    assert len(told.events) == 4


def test_events_come_again_after_libvirt_was_killed(libvirtd: OwnLibvirtd) -> None:
    seen = Spectator()
    connection = seen.connect(libvirtd.uri("test:///default"))
    told = Told(Events(connection))
    libvirtd.kill()
    until(lambda: seen.states == [True, False], "the bad news")
    libvirtd.start()
    until(lambda: seen.states == [True, False, True], "the good news")
    guest = connection.define(LEAST_DOMAIN.format(name="reborn"))
    live_through(guest)
    until(lambda: told.names(guest) == ["STARTED", "PAUSED", "RESUMED", "STOPPED"], "events once each")
    time.sleep(0.3)
    assert len(told.names(guest)) == 4
    connection.close()


def test_an_event_that_is_not_handled_is_not_the_last(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    events = Events(connection)
    told: list[str] = []

    def stumble(event: LifecycleEvent) -> None:
        told.append(event.name)
        raise RuntimeError("planted")

    events.on_lifecycle(stumble)
    guest = connection.define(LEAST_DOMAIN.format(name="stumbler"))
    live_through(guest)
    until(lambda: len(told) == 4, "all events")
    assert "planted" in caplog.text


def test_a_guest_lives_on_while_libvirt_is_dead(
    libvirtd: OwnLibvirtd, machines: Connection, machine: Guest
) -> None:
    process, before = machine.id, machines.generation
    libvirtd.kill()
    libvirtd.start()
    until(lambda: machines.is_reachable and machines.generation > before, "a new connection")
    until(lambda: machine.is_active(), "the guest")
    assert (machine.id, machine.state().power_state) == (process, PowerState.PAUSED)


def test_a_device_goes_and_who_waits_is_told(machines: Connection, machine: Guest) -> None:
    events = Events(machines)
    machine.attach(TABLET, live=True, persistent=False)
    [alias] = re.findall(r"<input type='tablet'.*?<alias name='(\w+)'/>", machine.xml(), re.DOTALL)
    with events.device_removal(machine.uuid, alias) as waiting:
        assert waiting.result(0.05) is None
        machine.detach(TABLET, live=True, persistent=False)
        assert waiting.result(60) == Removal.REMOVED
    assert not [each for each in machine.domain().inputs if each.type == "tablet"]
    with pytest.raises(errors.LibvirtFailed) as missing:
        machine.detach(TABLET, live=True, persistent=False)
    assert missing.value.code in (Failure.DEVICE_MISSING, Failure.OPERATION_FAILED)


def test_a_block_job_is_followed_to_its_end(machines: Connection, machine: Guest, tmp_path: Path) -> None:
    events = Events(machines)
    block = machine.block("vda")
    assert block.info().capacity_bytes == 8 * MIB and block.job() is None and not block.is_ready()
    copy = f"<disk type='file'><source file='{tmp_path}/copy'/><driver type='qcow2'/></disk>"
    with events.block_job(machine.uuid, "vda") as waiting:
        block.copy(copy)
        assert waiting.result(20) == JobEnd.READY
        assert block.is_ready()
        block.abort(pivot=True)
        assert waiting.result(20) == JobEnd.COMPLETED
    assert machine.domain().disks[0].source.file == f"{tmp_path}/copy"  # type: ignore[union-attr]
    block.resize(16 * MIB)
    assert block.info().capacity_bytes == 16 * MIB


def test_who_waits_is_woken_when_events_may_be_lost(libvirtd: OwnLibvirtd) -> None:
    connection = Spectator().connect(libvirtd.uri("test:///default"))
    events = Events(connection)
    with events.device_removal(str(uuid.uuid4()), "net0") as waiting:
        libvirtd.kill()
        libvirtd.start()
        began = time.monotonic()
        assert waiting.result(60) is None
        assert time.monotonic() - began < 20
    connection.close()
