"""A bridge of Open vSwitch in user space for one test run: no kernel module, no other bridge is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.integration.plane import install, waiting

_RUN: Final = Path("/var/run/openvswitch")
DATABASE: Final = _RUN / "db.sock"
_PROGRAMS: Final = {"/usr/sbin/ovs-vswitchd": "openvswitch-switch", "/usr/sbin/ip": "iproute2"}
_SCHEMA: Final = "/usr/share/openvswitch/vswitch.ovsschema"


def run(*command: str, check: bool = True) -> str:
    """What a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


def vsctl(*words: str, check: bool = True) -> str:
    """Ask the switch."""
    return run("ovs-vsctl", "--timeout=10", *words, check=check)


class Switch:
    """One bridge."""

    def __init__(self, bridge: str) -> None:
        self.bridge = bridge

    def ports(self) -> list[str]:
        """The names of its ports."""
        return vsctl("list-ports", self.bridge).split()

    def row(self, table: str, name: str, column: str) -> Any:
        """A column of a port or interface, lists and maps as Python has them."""
        found = json.loads(vsctl("--format=json", f"--columns={column}", "find", table, f"name={name}"))
        return _plain(found["data"][0][0]) if found["data"] else None


def _plain(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2 and value[0] == "map":
        return dict(value[1])
    if isinstance(value, list) and len(value) == 2 and value[0] == "set":
        return value[1]
    return value


@contextmanager
def switch(bridge: str, directory: Path) -> Iterator[Switch]:
    """The bridge `bridge`. Open vSwitch is started if it does not run, and then stopped again."""
    install.ensure_programs(directory / "apt.log", _PROGRAMS)
    # Whoever finds it running may go on using it: it must not live where pytest tidies up.
    database = Path(tempfile.mkdtemp(prefix="computed-ovs-"))
    started = [] if vsctl("show", check=False) else _start(database)
    try:
        vsctl("--may-exist", "add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=netdev")
        try:
            yield Switch(bridge)
        finally:
            vsctl("--if-exists", "del-br", bridge)
    finally:
        if started and not vsctl("list-br", check=False):
            for process in reversed(started):
                process.terminate()
                process.wait(20)
        if not started or started[0].poll() is not None:
            shutil.rmtree(database)


def _start(directory: Path) -> list[subprocess.Popen[bytes]]:
    _RUN.mkdir(parents=True, exist_ok=True)
    database = directory / "conf.db"
    run("ovsdb-tool", "create", str(database), _SCHEMA)
    log = (directory / "openvswitch.log").open("ab")
    server = [
        "ovsdb-server",
        str(database),
        f"--remote=punix:{DATABASE}",
        "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
    ]
    started = [subprocess.Popen(server, stdout=log, stderr=log)]
    try:
        waiting.until("ovsdb-server", lambda: _answers("--no-wait", "init"), 20)
        vsctl("--no-wait", "set", "Open_vSwitch", ".", "external_ids:system-id=computed-test")
        command = ["ovs-vswitchd", f"unix:{DATABASE}", f"--pidfile={_RUN}/ovs-vswitchd.pid"]
        started.append(subprocess.Popen(command, stdout=log, stderr=log))
        waiting.until("ovs-vswitchd", lambda: _answers("show"), 20)
    except BaseException:
        for process in started:
            process.kill()
        raise
    return started


def _answers(*words: str) -> None:
    try:
        vsctl(*words)
    except RuntimeError as error:
        raise waiting.NotYet(str(error)) from error


def device(name: str) -> dict[str, Any] | None:
    """A network device as `ip -d` sees it, or None."""
    text = run("ip", "-d", "-j", "link", "show", "dev", name, check=False)
    return dict(json.loads(text)[0]) if text else None


def can_have_devices() -> bool:
    """Whether this is a host on which network devices can be made."""
    return os.geteuid() == 0 and Path("/dev/net/tun").exists() and shutil.which("apt-get") is not None
