"""A real guest lives through every verb of the public API, and nothing of it is left on the host."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest

from tests.integration import accounts
from tests.integration.agents import Agent
from tests.integration.cloud import Cloud
from tests.integration.guest_image import marks
from tests.integration.libvirt.site import LARGE, SMALL, USER_DATA, Guest, Site
from tests.integration.plane import hypervisor, waiting
from tests.integration.plane.hypervisor import URI

GIB = 1 << 30


@pytest.fixture(scope="module")
def guest(site: Site, compute: Agent, cloud: Cloud) -> Iterator[Guest]:
    """Each test leaves it ACTIVE."""
    assert hypervisor.guests(site.host.settings.guest_prefix) == []
    (made,) = site.boot(1, "real")
    yield made
    if cloud.servers([made.id]):
        cloud.delete([made.id])


@pytest.fixture(autouse=True)
def tidy(guest: Guest, compute: Agent, cloud: Cloud) -> Iterator[None]:
    yield
    assert accounts.faults(cloud, [compute], list(cloud.servers())) == []


def test_it_boots_and_finds_what_it_was_promised(guest: Guest, cloud: Cloud) -> None:
    guest.ready(boots=1)
    (port,) = cloud.wait_ports_active([guest.id])
    assert port.binding_vif_type == "ovs"
    (config,) = guest.said("config")
    assert config.values["uuid"] == guest.id
    assert config.values["hostname"].partition(".")[0] == guest.record.hostname
    assert config.values["meta"] == '{"colour":"green"}'
    assert guest.said("user-data")[0].text == USER_DATA.replace("\n", "|")
    assert guest.said("link")[0].values["mac"] == port.mac_address
    address = port.fixed_ips[0]["ip_address"]
    assert guest.said("address")[0].values["ip"] == f"{address}/24"
    assert guest.said("hardware")[0].values["uuid"].lower() == guest.id
    assert guest.disks["vda"] == SMALL[2] * GIB
    assert f"tap{port.id[:11]}" in hypervisor.switch_ports(guest.site.host.bridge)


def test_pause(guest: Guest) -> None:
    pid = guest.pid
    guest.verbs.there_and_back("pause_server", "PAUSED", "unpause_server")
    guest.lives_on()
    assert guest.pid == pid


def test_suspend(guest: Guest) -> None:
    guest.verbs.there_and_back("suspend_server", "SUSPENDED", "resume_server")
    # The next test sees that this was no boot: its own is the second.
    guest.lives_on()


def test_soft_reboot(guest: Guest, cloud: Cloud) -> None:
    before = guest.pid
    guest.demo.reboot_server(guest.id, "SOFT")
    guest.verbs.active()
    guest.ready(boots=2)
    assert guest.pid != before


def test_stop_and_start(guest: Guest, cloud: Cloud) -> None:
    guest.demo.stop_server(guest.id)
    cloud.wait_status([guest.id], "SHUTOFF")
    assert marks((guest.directory / "console.log").read_text(), "power-button")
    guest.demo.start_server(guest.id)
    guest.verbs.active()
    guest.ready(boots=3)


def test_hard_reboot(guest: Guest) -> None:
    guest.demo.reboot_server(guest.id, "HARD")
    guest.verbs.active()
    guest.ready(boots=4)


def test_vnc_console(guest: Guest, cloud: Cloud) -> None:
    with _console(guest, cloud, "vnc", "novnc") as vnc:
        assert vnc.recv(12).startswith(b"RFB 003")


def test_spice_console(guest: Guest, cloud: Cloud) -> None:
    # Version 2.2; a session's main channel, without capabilities.
    request = struct.pack("<IBBIII", 0, 1, 0, 0, 0, 18)
    with _console(guest, cloud, "spice", "spice-html5") as spice:
        spice.sendall(struct.pack("<4sIII", b"REDQ", 2, 2, len(request)) + request)
        assert spice.recv(4) == b"REDQ"


def test_serial_console(guest: Guest, cloud: Cloud) -> None:
    """On it is the shell that the guest starts when it is ready."""
    with _console(guest, cloud, "serial", "serial") as serial:
        serial.settimeout(30)
        serial.sendall(b"\necho sum $((40 + 2))\n")
        answer = b""
        while b"sum 42" not in answer:
            answer += serial.recv(4096)


def _console(guest: Guest, cloud: Cloud, protocol: str, kind: str) -> socket.socket:
    """Where the API's console proxy would connect to."""
    shown = cloud.console(guest.id, protocol, kind)
    return socket.create_connection((shown["host"], int(shown["port"])), timeout=10)


def test_diagnostics(guest: Guest, cloud: Cloud) -> None:
    told = cloud.admin.compute.get_server_diagnostics(guest.id)
    assert (told.state, told.hypervisor, told.num_cpus) == ("running", "qemu", 1)
    assert told.disk_details and told.nic_details[0]["rx_packets"] >= 0


def test_interface(guest: Guest) -> None:
    with guest.second_interface() as interface:
        link = guest.said("link", 2)[1]
        assert link.values["mac"] == interface.mac_addr
        address = interface.fixed_ips[0]["ip_address"]
        assert guest.said("address", 2)[1].values["ip"] == f"{address}/24"
    assert guest.said("gone")[0].text == "eth1"


@pytest.mark.long
def test_crash_dump(guest: Guest) -> None:
    pid = guest.pid
    guest.verbs.act({"trigger_crash_dump": None})
    guest.said("boot", 2)
    guest.said("ready", 2)
    assert guest.boots()["vda"] == 5 and guest.pid == pid


@pytest.mark.long
def test_live_snapshot_boots(guest: Guest, site: Site, cloud: Cloud) -> None:
    pid = guest.pid
    image = guest.snapshot("live")
    assert guest.pid == pid
    guest.lives_on()
    (copy,) = site.boot(1, "copy", image_id=image)
    copy.ready(boots=6)
    cloud.delete([copy.id])
    cloud.demo.image.delete_image(image)


@pytest.mark.long
def test_cold_snapshot(guest: Guest, cloud: Cloud) -> None:
    guest.demo.stop_server(guest.id)
    cloud.wait_status([guest.id], "SHUTOFF")
    image = guest.snapshot("cold")
    assert guest.record.status == "SHUTOFF"
    shown = cloud.demo.image.get_image(image)
    assert (shown.disk_format, shown.size > 1 << 20) == ("qcow2", True)
    cloud.demo.image.delete_image(image)
    guest.demo.start_server(guest.id)
    guest.verbs.active()
    guest.ready(boots=6)


@pytest.mark.long
def test_rescue(guest: Guest, cloud: Cloud) -> None:
    guest.demo.rescue_server(guest.id)
    cloud.wait_status([guest.id], "RESCUE")
    guest.said("ready")
    assert guest.boots() == {"vda": 1, "vdb": 6}
    guest.demo.unrescue_server(guest.id)
    guest.verbs.active()
    guest.ready(boots=7)


@pytest.mark.long
def test_resize_on_the_same_host(guest: Guest) -> None:
    guest.verbs.resize(LARGE[0], guest.site.host.host)
    guest.ready(boots=8)
    assert guest.disks["vda"] == LARGE[2] * GIB
    guest.verbs.revert(guest.site.host.host)
    # The disk of before the resize is back.
    guest.ready(boots=8)
    assert guest.disks["vda"] == SMALL[2] * GIB
    guest.verbs.resize(LARGE[0], guest.site.host.host)
    guest.verbs.confirm()
    guest.ready(boots=9)
    assert guest.disks["vda"] == LARGE[2] * GIB
    assert not guest.directory.with_name(f"{guest.id}_resize").exists()


@pytest.mark.long
def test_shelve(guest: Guest, site: Site) -> None:
    guest.verbs.shelve()
    assert site.domains() == [] and not guest.directory.exists()
    guest.verbs.unshelve(site.host.host)
    guest.ready(boots=10)


def test_rebuild(guest: Guest, site: Site) -> None:
    guest.verbs.rebuild(site.agent_image)
    guest.ready(boots=1)


def test_password(guest: Guest) -> None:
    guest.said("agent")
    guest.demo.change_server_password(guest.id, "correct-horse")
    guest.verbs.active()
    heard = guest.said("agent", 2)[-1]
    assert "guest-set-user-password" in heard.text and heard.values["password"] == "correct-horse"


def test_snapshot_of_a_quiet_file_system(guest: Guest, cloud: Cloud) -> None:
    """The image asks for it: `os_require_quiesce`."""
    cloud.demo.image.delete_image(guest.snapshot("quiet"))
    words = [mark.text for mark in guest.said("agent", 4)]
    assert words[-2:] == ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw"]


def test_it_stops_by_itself_and_starts_without_its_base_image(
    guest: Guest, compute: Agent, cloud: Cloud
) -> None:
    subprocess.run(["virsh", "-q", "-c", URI, "shutdown", guest.domain], check=True, timeout=30)
    cloud.wait_status([guest.id], "SHUTOFF", 60)
    for base in (compute.instances / "_base").iterdir():
        base.unlink()
    guest.demo.start_server(guest.id)
    guest.verbs.active()
    guest.ready(boots=2)


def test_delete(guest: Guest, site: Site, compute: Agent, cloud: Cloud) -> None:
    (port,) = cloud.ports([guest.id])
    cloud.delete([guest.id])
    assert site.domains() == []
    left = hypervisor.switch_ports(site.host.bridge)
    assert f"tap{port.id[:11]}" not in left
    kept = {path.name for path in compute.instances.iterdir()}
    assert kept <= {"_base", "locks", "compute_nodes", "snapshots", ".computed"}, kept
    assert cloud.ports([guest.id]) == []
    waiting.until("accounts settled", lambda: _settled(cloud, compute), 20)


def _settled(cloud: Cloud, compute: Agent) -> None:
    found = accounts.faults(cloud, [compute], [])
    if found:
        raise waiting.NotYet(found)
