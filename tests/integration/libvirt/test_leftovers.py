"""What a killed run leaves on the machine is gone when the next one starts; what is in use stays."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

from tests.integration.plane import hypervisor as machine
from tests.integration.plane.hypervisor import URI, Hypervisor, Traces
from tests.integration.plane.processes import start_time

_NETDEV = "datapath_type=netdev"
_DOMAIN = "<domain type='qemu'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"


def test_leftovers(hypervisor: Hypervisor, tmp_path: Path) -> None:
    killed = subprocess.Popen(["sleep", "60"])
    started = start_time(killed.pid)
    network = tmp_path / "neutron/dhcp" / str(uuid.uuid4())
    network.mkdir(parents=True)
    traces = Traces(killed.pid, started, str(tmp_path), f"left{killed.pid}-", f"brl{killed.pid}")
    hypervisor.remember(traces)
    (tmp_path / "domain.xml").write_text(_DOMAIN.format(f"{traces.guest_prefix}00000001"))
    _run("virsh", "-q", "-c", URI, "define", str(tmp_path / "domain.xml"))
    _run("ovs-vsctl", "--timeout=20", "add-br", traces.bridge, "--", "set", "bridge", traces.bridge, _NETDEV)
    _run("ip", "netns", "add", f"qdhcp-{network.name}")
    server = ["dnsmasq", "--port=0", f"--pid-file={network}/pid", "--conf-file=/dev/null"]
    _run(*server, "--dhcp-range=127.0.0.5,127.0.0.6", "--interface=lo", "--bind-interfaces")
    dnsmasq = int((network / "pid").read_text())

    hypervisor.remove_orphans()
    assert machine.guests(traces.guest_prefix) and start_time(dnsmasq)

    killed.kill()
    killed.wait()
    hypervisor.remove_orphans()
    assert machine.guests(traces.guest_prefix) == []
    assert start_time(dnsmasq) is None
    bridges = _run("ovs-vsctl", "--timeout=20", "list-br").split()
    assert traces.bridge not in bridges and hypervisor.bridge in bridges
    assert f"qdhcp-{network.name}" not in _run("ip", "netns", "list")


def _run(*argv: str) -> str:
    return subprocess.run(list(argv), capture_output=True, text=True, check=True, timeout=60).stdout
