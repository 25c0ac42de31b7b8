"""What a host of real guests needs beside the control plane: libvirtd, Open vSwitch, neutron's own agents.

libvirtd and Open vSwitch exist once on a machine.  Those that run are used and left alone; others are started
here and ended with the run.  What belongs to a plane has a name of its own: guests, bridge, host.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.integration.plane import ini, install, provision, waiting
from tests.integration.plane.plane import Plane
from tests.integration.plane.processes import Daemon, start_time
from tests.integration.plane.settings import ADDRESS

_LIBVIRT = Path("/usr/lib/x86_64-linux-gnu/libvirt/connection-driver")
#: program looked for -> Debian package that has it
PROGRAMS = {
    "/usr/sbin/libvirtd": "libvirt-daemon-system",
    "/usr/sbin/virtlogd": "libvirt-daemon",
    "/usr/bin/virsh": "libvirt-clients",
    f"{_LIBVIRT}/libvirt_driver_qemu.so": "libvirt-daemon-driver-qemu",
    "/usr/bin/qemu-system-x86_64": "qemu-system-x86",
    "/usr/bin/qemu-img": "qemu-utils",
    "/usr/bin/genisoimage": "genisoimage",
    "/usr/bin/mcopy": "mtools",
    "/usr/sbin/mkfs.vfat": "dosfstools",
    "/usr/sbin/ovs-vswitchd": "openvswitch-switch",
    "/usr/sbin/dnsmasq": "dnsmasq-base",
    "/usr/sbin/ip": "iproute2",
}
URI = "qemu:///system"
_OVS_RUN = Path("/var/run/openvswitch")
OVSDB = f"unix:{_OVS_RUN}/db.sock"
_KVM = Path("/dev/kvm")
_IFF_UP = 0x1


@dataclass(frozen=True)
class Traces:
    """What a run leaves on the machine when it is killed; written down before it is made."""

    owner: int
    owner_started: str | None
    root: str
    guest_prefix: str
    bridge: str

    def is_orphan(self) -> bool:
        return start_time(self.owner) != self.owner_started


class Hypervisor:
    """One host of real guests on ``plane``: ``up``, run an agent for ``host`` with ``options``, ``down``."""

    def __init__(self, plane: Plane) -> None:
        self._plane, s = plane, plane.settings
        self.settings = s
        self.host = f"hypervisor-{os.getpid()}"
        self.bridge = f"brp{s.ports.nova}"
        self._ours: list[Daemon] = []
        self._kvm_before: os.stat_result | None = None
        self._records = s.cache.parent / "hypervisors"
        self._record = self._records / f"{os.getpid()}.json"

    def up(self) -> None:
        """Install what is missing, start what does not run, remove what a killed run has left."""
        began, s = time.monotonic(), self.settings
        install.ensure_programs(s.log / "install.log", PROGRAMS)
        with install.locked(s.cache):
            install.ensure_binding(s.bin("python"), s.log / "install.log")
        self._open_kvm()
        self._start_libvirt()
        self._start_switch()
        self.remove_orphans()
        self.remember(Traces(os.getpid(), start_time(os.getpid()), str(s.root), s.guest_prefix, self.bridge))
        _vsctl(
            "--may-exist", "add-br", self.bridge, "--", "set", "bridge", self.bridge, "datapath_type=netdev"
        )
        self._start_agents()
        install.say(f"hypervisor up after {time.monotonic() - began:.0f} s")

    def down(self) -> None:
        """Nothing of this plane stays on the machine; what ran before runs on."""
        for daemon in self._ours:
            if daemon.name in self._agent_files():
                # They take their time, and there is nothing that they would save.
                daemon.kill()
        if self._record.exists():
            _remove(Traces(**json.loads(self._record.read_text())))
            self._record.unlink()
        for daemon in reversed(self._ours):
            daemon.stop()
        if self._kvm_before is not None:
            os.chown(_KVM, self._kvm_before.st_uid, self._kvm_before.st_gid)
            _KVM.chmod(self._kvm_before.st_mode & 0o7777)

    def options(self) -> ini.Ini:
        """What is a libvirt host's own in an agent's file; the same for stock nova-compute and ours."""
        helper = (
            f"{self.settings.bin('privsep-helper')} --config-file {self.settings.etc}/neutron/neutron.conf"
        )
        contexts = (
            *("nova_sys_admin", "privsep_osbrick", "vif_plug_ovs_privileged"),
            *("computed_network_privileged", "computed_files_privileged"),
        )
        listening: dict[str, ini.Value] = {
            "server_listen": ADDRESS,
            "server_proxyclient_address": ADDRESS,
        }
        return {
            "DEFAULT": {
                "compute_driver": "libvirt.LibvirtDriver",
                "vif_plugging_timeout": 60,
                "vif_plugging_is_fatal": True,
            },
            "libvirt": {
                "virt_type": "qemu",
                "cpu_mode": "custom",
                "cpu_models": "Nehalem",
                "wait_soft_reboot_seconds": 40,
            },
            "neutron": {"ovs_bridge": self.bridge},
            "os_vif_ovs": {"ovsdb_connection": OVSDB},
            "vnc": {"enabled": True, **listening},
            "spice": {"enabled": True, **listening},
            "serial_console": {"enabled": True, "proxyclient_address": ADDRESS},
            **{context: {"helper_command": helper} for context in contexts},
        }

    # -- libvirt and the switch

    def _daemon(self, name: str, argv: list[str]) -> Daemon:
        daemon = self._plane.daemon(name, argv)
        self._ours.append(daemon)
        daemon.start()
        return daemon

    def _open_kvm(self) -> None:
        """Give /dev/kvm the owner that udev would have given it.

        Where nobody but root may open it, libvirt probes QEMU anew at each look at its capabilities (4 s).
        """
        if not _KVM.exists():
            return
        before = _KVM.stat()
        if (before.st_uid, before.st_gid, before.st_mode & 0o7777) == (0, 0, 0o600):
            self._kvm_before = before
            shutil.chown(_KVM, group="kvm")
            _KVM.chmod(0o660)

    def _start_libvirt(self) -> None:
        if _answers("virsh", "-q", "-c", URI, "uri"):
            return
        if not _listens(Path("/run/libvirt/virtlogd-sock")):
            self._daemon("virtlogd", ["/usr/sbin/virtlogd"])
        daemon = self._daemon("libvirtd", ["/usr/sbin/libvirtd"])

        def probe() -> None:
            daemon.check()
            if not _answers("virsh", "-q", "-c", URI, "uri"):
                raise waiting.NotYet("no answer")

        waiting.until("libvirtd", probe, 60)

    def _start_switch(self) -> None:
        if _answers("ovs-vsctl", "--timeout=3", "show"):
            return
        _OVS_RUN.mkdir(parents=True, exist_ok=True)
        database = self.settings.root / "ovs.db"
        # A plane that is used again has that of the last time.
        database.unlink(missing_ok=True)
        _call("ovsdb-tool", "create", str(database), "/usr/share/openvswitch/vswitch.ovsschema")
        remote = [
            f"--remote=punix:{_OVS_RUN}/db.sock",
            "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
        ]
        control = [f"--pidfile={_OVS_RUN}/ovsdb-server.pid", f"--unixctl={_OVS_RUN}/ovsdb-server.ctl"]
        ovsdb = self._daemon("ovsdb-server", ["/usr/sbin/ovsdb-server", str(database), *remote, *control])

        def probe() -> None:
            ovsdb.check()
            if not _answers("ovs-vsctl", "--timeout=3", "--no-wait", "init"):
                raise waiting.NotYet("no answer")

        waiting.until("ovsdb-server", probe, 30)
        switchd = ["/usr/sbin/ovs-vswitchd", OVSDB, f"--pidfile={_OVS_RUN}/ovs-vswitchd.pid"]
        self._daemon("ovs-vswitchd", switchd)

    def remember(self, traces: Traces) -> None:
        """Write down what a later run would have to remove."""
        (self._records / f"{traces.owner}.json").write_text(json.dumps(asdict(traces)))

    def remove_orphans(self) -> None:
        """Remove what runs left that were killed; their planes' processes died with them."""
        self._records.mkdir(parents=True, exist_ok=True)
        for record in self._records.glob("*.json"):
            traces = Traces(**json.loads(record.read_text()))
            if traces.is_orphan():
                install.say("removing what is left of", traces.root)
                _remove(traces)
                record.unlink()

    # -- neutron

    def _start_agents(self) -> None:
        s = self.settings
        network = provision.connect(s).network
        for earlier in network.agents(binary="neutron-dhcp-agent"):
            # Of an earlier run on this plane: neutron would go on giving networks to it for minutes.
            network.delete_agent(earlier)
        neutron = ["--config-file", str(s.etc / "neutron/neutron.conf")]
        for name, part in self._agent_files().items():
            own = ini.write(s.etc / "neutron" / f"{name}.ini", part)
            self._daemon(name, [s.bin(name), *neutron, "--config-file", str(own)])

        def probe() -> None:
            for daemon in self._ours:
                daemon.check()
            found = {agent.binary for agent in network.agents(host=self.host) if agent.is_alive}
            if set(self._agent_files()) - found:
                raise waiting.NotYet(found or "no agent")

        waiting.until("neutron's agents", probe, 90)

    def _agent_files(self) -> dict[str, dict[str, dict[str, ini.Value]]]:
        """Program of an agent -> its configuration, beside what all of neutron shares."""
        with socket.socket() as free:
            free.bind((ADDRESS, 0))
            port = int(free.getsockname()[1])
        switch: dict[str, ini.Value] = {"ovsdb_connection": OVSDB, "integration_bridge": self.bridge}
        return {
            "neutron-openvswitch-agent": {
                "DEFAULT": {"host": self.host},
                "ovs": {
                    **switch,
                    "datapath_type": "netdev",
                    "of_listen_address": ADDRESS,
                    "of_listen_port": port,
                },
                "agent": {"tunnel_types": "", "report_interval": 10, "polling_interval": 1},
                "securitygroup": {"enable_security_group": True, "firewall_driver": "noop"},
            },
            "neutron-dhcp-agent": {
                "DEFAULT": {
                    "host": self.host,
                    "interface_driver": "openvswitch",
                    "enable_isolated_metadata": False,
                },
                "ovs": switch,
                "agent": {"report_interval": 10},
            },
        }


# -- what is left of a run


def _remove(traces: Traces) -> None:
    """Guests, bridge, DHCP servers and namespaces of one plane; what is not there is no fault."""
    for name in guests(traces.guest_prefix):
        _answers("virsh", "-q", "-c", URI, "destroy", name)
        _answers(
            "virsh", "-q", "-c", URI, "undefine", name, "--nvram", "--managed-save", "--snapshots-metadata"
        )
    _answers("ovs-vsctl", "--timeout=10", "--if-exists", "del-br", traces.bridge)
    for network in (Path(traces.root) / "neutron" / "dhcp").glob("*"):
        _end_dnsmasq(network / "pid")
        _answers("ip", "netns", "delete", f"qdhcp-{network.name}")


def _end_dnsmasq(pid_file: Path) -> None:
    """The DHCP agent leaves its servers running by design."""
    try:
        pid = int(pid_file.read_text())
        if str(pid_file.parent) in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        pass


def guests(prefix: str) -> list[str]:
    """Names of all domains, running or not, that begin with ``prefix``."""
    listed = _call("virsh", "-q", "-c", URI, "list", "--all", "--name").split()
    return [name for name in listed if name.startswith(prefix)]


def switch_ports(bridge: str) -> list[str]:
    """Ports of ``bridge`` in the switch's database."""
    return _vsctl("list-ports", bridge).split()


def raise_devices(bridge: str) -> None:
    """Set the devices of guests up that Open vSwitch has set down.

    When its userspace datapath takes a device in it turns promiscuous mode on, and with that writes back
    flags that it read earlier (netdev-linux, update_flags): if libvirt has set the device up in between, it
    is down from then on. The kernel's datapath, which hosts with taps have, writes no flags.
    """
    for name in _vsctl("list-ports", bridge).split():
        flags = Path("/sys/class/net", name, "flags")
        with contextlib.suppress(FileNotFoundError):
            if not int(flags.read_text(), 16) & _IFF_UP:
                print(f"[plane] Open vSwitch has set {name} down; it is set up again", file=sys.stderr)
                subprocess.run(["ip", "link", "set", "dev", name, "up"], check=False, timeout=20)


def switch_state(bridge: str) -> str:
    """What a person would look at when packets of ``bridge`` do not arrive."""
    return "\n".join(
        (
            _vsctl("show"),
            _vsctl("--columns=name,ofport,link_state,external_ids,statistics", "list", "interface"),
            _call("ovs-appctl", "fdb/show", bridge),
            _call("ovs-appctl", "dpctl/dump-flows"),
        )
    )


def _vsctl(*arguments: str) -> str:
    return _call("ovs-vsctl", "--timeout=10", *arguments)


def _call(*argv: str) -> str:
    done = subprocess.run(list(argv), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout


def _answers(*argv: str) -> bool:
    try:
        return subprocess.run(list(argv), capture_output=True, timeout=30).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
