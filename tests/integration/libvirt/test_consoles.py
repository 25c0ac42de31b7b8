"""Consoles that listen, figures that move, and what a guest is told: on real guests."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from computed import errors
from computed.virt.specs import ConsoleAddress
from tests.integration import guest_image
from tests.integration.guest_image import marks
from tests.integration.libvirt.bench import Bench, wait_for
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd

PORTS = (21000 + os.getpid() % 1000 * 10, 21010 + os.getpid() % 1000 * 10)


@pytest.fixture
def make_bench(own_libvirtd: OwnLibvirtd) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(guest: Path | None = None, **options: Any) -> Bench:
        directory = Path(tempfile.mkdtemp(prefix="verbs-bench-"))
        directory.chmod(0o711)
        made.append(Bench(directory, guest, **{"libvirt.connection_uri": own_libvirtd.uri(), **options}))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


def greeting(address: ConsoleAddress) -> bytes:
    """The first that a server says."""
    with socket.create_connection((address.host, address.port), 10) as connection:
        connection.settimeout(10)
        return connection.recv(3)


def test_screen_and_serial_console(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(
        **{
            "vnc.enabled": True,
            "serial_console.enabled": True,
            "serial_console.port_range": f"{PORTS[0]}:{PORTS[1]}",
        }
    )
    spec = bench.spec(properties={"hw_serial_port_count": "2"})
    driver, context, instance = bench.driver, bench.context, spec.instance
    driver.spawn(context, spec)
    assert greeting(driver.vnc_console(context, instance)) == b"RFB"
    address = driver.serial_console(context, instance)
    assert address.host == "127.0.0.1" and PORTS[0] <= address.port < PORTS[1]
    with socket.create_connection((address.host, address.port), 10):
        pass
    with pytest.raises(errors.ConsoleTypeUnavailable):
        driver.spice_console(context, instance)
    with pytest.raises(NotImplementedError):
        driver.mks_console(context, instance)

    other = bench.spec()
    driver.spawn(context, other)
    assert driver.serial_console(context, other.instance).port != address.port
    driver.reboot(context, spec, hard=True)
    assert driver.serial_console(context, instance).port == address.port

    driver.power_off(instance)
    with pytest.raises(errors.ConsoleNotAvailable):
        driver.vnc_console(context, instance)
    driver.destroy(context, spec)
    with pytest.raises(errors.InstanceNotFound):
        driver.serial_console(context, instance)
    assert bench.driver._engine.serial_ports.of("another", 2)[0] == address.port


def test_no_port_is_left(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(
        **{"serial_console.enabled": True, "serial_console.port_range": f"{PORTS[0]}:{PORTS[0] + 1}"}
    )
    spec = bench.spec(properties={"hw_serial_port_count": "2"})
    with pytest.raises(errors.SocketPortRangeExhaustedException):
        bench.driver.spawn(bench.context, spec)
    assert bench.leftovers(spec) == []


def test_figures(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    spec = bench.spec(instance={"launched_at": None})
    bench.driver.spawn(bench.context, spec)
    wait_for(lambda: "HELLO" in bench.console(spec), "greeting", 60)
    found = bench.driver.diagnostics(spec.instance)
    assert found["cpu0_time"] > 0 and found["vda_read"] >= 512 and found["vda_errors"] == -1
    assert (found["memory"], "hda_read" in found) == (spec.instance.flavor.memory_mb * 1024, True)
    whole = bench.driver.instance_diagnostics(spec.instance)
    assert (whole.state, whole.driver, whole.hypervisor, whole.num_cpus) == ("running", "libvirt", "qemu", 1)
    assert whole.num_disks == 2 and whole.disk_details[0].read_bytes >= 512
    assert whole.memory_details.maximum == spec.instance.flavor.memory_mb


def test_a_guest_without_an_agent_is_told_nothing(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bare, deaf = bench.spec(), bench.spec(properties={"hw_qemu_guest_agent": "yes"})
    for spec in (bare, deaf):
        bench.driver.spawn(bench.context, spec)
    with pytest.raises(errors.QemuGuestAgentNotEnabled):
        bench.driver.set_admin_password(bare.instance, "s3cret-word")
    with pytest.raises(NotImplementedError) as caught:
        bench.driver.set_admin_password(deaf.instance, "s3cret-word")
    assert "s3cret-word" not in str(caught.value)
    bench.driver.trigger_crash_dump(bare.instance)
    bench.driver.power_off(bare.instance)
    with pytest.raises(errors.InstanceNotRunning):
        bench.driver.trigger_crash_dump(bare.instance)
    with pytest.raises(NotImplementedError):
        bench.driver.power_update_event(bare.instance, "POWER_ON")


def test_a_guest_with_an_agent_listens(make_bench: Callable[..., Bench]) -> None:
    """The whole tiny guest: it takes a password, is held still and goes on, and panics when it is told to."""
    bench = make_bench(guest_image.ensure().qcow2)
    spec = bench.spec(properties={"hw_qemu_guest_agent": "yes", "os_admin_user": "boss"})
    driver, instance = bench.driver, spec.instance
    driver.spawn(bench.context, spec)
    bench.said(spec, "ready")

    def is_told() -> bool:
        try:
            driver.set_admin_password(instance, "s3cret-word")
        except NotImplementedError:
            return False
        return True

    wait_for(is_told, "agent", 60)
    driver.quiesce(bench.context, instance, instance.image_meta)
    driver.unquiesce(bench.context, instance, instance.image_meta)
    told = ["guest-set-user-password", "guest-fsfreeze-freeze", "guest-fsfreeze-thaw"]

    def heard() -> list[str]:
        words = [mark.text.split()[0] for mark in marks(bench.console(spec), "agent")]
        return [word for word in words if word in told]

    # It says what it has done after it has answered.
    wait_for(lambda: heard()[-3:] == told, "agent that has heard all", 30)
    driver.trigger_crash_dump(instance)
    wait_for(lambda: "panic" in bench.console(spec).lower(), "panic", 60)
