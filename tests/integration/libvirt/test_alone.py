"""`computedctl server create` boots a real guest with no control plane at all, as README promises."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration import guest_image
from tests.integration.libvirt.alone import ROOT, AloneCloud
from tests.integration.plane import waiting

MakeAlone = Callable[..., AloneCloud]
GIB = 1 << 30
README = ROOT / "README.md"


@pytest.fixture
def cloud(make_alone: MakeAlone) -> AloneCloud:
    return make_alone()


def test_a_real_guest_lives_and_leaves_nothing(cloud: AloneCloud) -> None:
    cloud.ctl("image", "add", "tiny", str(guest_image.ensure().qcow2))
    created = cloud.json("server", "create", "first", "--image", "tiny", "--wait")
    assert (created["status"], created["addresses"]) == ("ACTIVE", ["10.0.2.15"])
    assert cloud.said("first", "ready").values["uuid"] == created["id"]
    assert cloud.said("first", "config").values["uuid"] == created["id"]
    assert cloud.said("first", "address").values["ip"] == "10.0.2.15/24"
    assert int(cloud.said("first", "disks").values["vda"]) == GIB
    assert f"ready uuid={created['id']}" in cloud.ctl("server", "console", "first")
    assert cloud.used() == {"DISK_GB": 1, "MEMORY_MB": 128, "VCPU": 1}

    cloud.ctl("server", "reboot", "first", "--hard", "--wait")
    assert cloud.said("first", "boots").values["vda"] == "2"
    cloud.ctl("server", "stop", "first", "--wait", "90")
    assert cloud.libvirtd.virsh("domstate", "instance-00000001").stdout.strip() == "shut off"

    # Who stops the agent does not stop the guests, and finds them again.
    cloud.ctl("server", "start", "first", "--wait")
    assert cloud.stop() == 0
    assert cloud.libvirtd.virsh("domstate", "instance-00000001").stdout.strip() == "running"
    cloud.start()
    assert cloud.server("first")["status"] == "ACTIVE"
    assert cloud.said("first", "ready").values["uuid"] == created["id"]

    cloud.ctl("server", "delete", "first", "--wait")
    assert cloud.leftovers() == {}
    assert set(cloud.used().values()) == {0}
    assert "Traceback" not in cloud.log.read_text()


def test_what_is_no_image_is_refused_as_it_is_added(cloud: AloneCloud, tmp_path: Path) -> None:
    trap = tmp_path / "trap.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", str(trap), "1M"]
    subprocess.run(command, check=True)
    assert "backing file" in cloud.ctl("image", "add", "trap", str(trap), status=1)
    wrong = cloud.ctl("image", "add", "wrong", str(trap), "--disk-format", "raw", status=1)
    assert "declared as raw, its contents are qcow2" in wrong
    assert list(cloud.images.iterdir()) == []


def test_an_agent_that_ends_with_guests_ends_soon(cloud: AloneCloud) -> None:
    shutil.copy(guest_image.ensure().qcow2, cloud.images / "tiny.qcow2")
    cloud.create("one", "tiny")
    cloud.settled("one", "ACTIVE")
    began = time.monotonic()
    assert cloud.stop() == 0
    # Done means: at most 5 s; twice that on a machine that does other things too.
    assert time.monotonic() - began < 10


# An ordinary user


@pytest.fixture
def user() -> Iterator[str]:
    """A user of the machine who may do nothing special; gone afterwards."""
    name = f"computed{os.getpid() % 10000}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True, timeout=30)
    home = Path(pwd.getpwnam(name).pw_dir)
    home.chmod(0o700)
    yield name
    uid = pwd.getpwnam(name).pw_uid
    subprocess.run(["pkill", "-KILL", "-u", str(uid)], timeout=10)
    waiting.until("the user's processes are gone", lambda: _no_process_of(uid), 20)
    subprocess.run(["userdel", "--remove", name], capture_output=True, timeout=30)


def _no_process_of(uid: int) -> None:
    if subprocess.run(["pgrep", "-U", str(uid)], capture_output=True, timeout=10).returncode == 0:
        raise waiting.NotYet(uid)


def _opening_script() -> str:
    """Shell commands after which an ordinary user reaches this Python and this repository, which may lie in
    root's home: there, and for the user's processes only, nothing else is seen."""
    needed = {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), ROOT}
    closed = {
        next((a for a in reversed(path.parents) if not a.stat().st_mode & 0o001), None) for path in needed
    }
    lines = ["set -e", "mount -t tmpfs -o mode=755 none /mnt"]
    for number, path in enumerate(sorted(needed)):
        lines += [f"mkdir /mnt/{number}", f"mount --bind {path} /mnt/{number}"]
    lines += [f"mount -t tmpfs -o mode=755 none {path}" for path in closed if path is not None]
    for number, path in enumerate(sorted(needed)):
        if any(path.is_relative_to(each) for each in closed if each is not None):
            lines += [f"mkdir -p {path}", f"mount --bind /mnt/{number} {path}"]
    return "\n".join([*lines, 'exec "$@"'])


class Person:
    """Types commands as an ordinary user."""

    def __init__(self, name: str) -> None:
        self.home = Path(pwd.getpwnam(name).pw_dir)
        run = self.home / "run"
        run.mkdir(mode=0o700)
        shutil.chown(run, name)
        self._become = [
            *("unshare", "--mount", "--propagation", "private", "sh", "-c", _opening_script(), "sh"),
            *("setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", "env", "-i"),
            *(f"HOME={self.home}", f"XDG_RUNTIME_DIR={run}", f"USER={name}", "PATH=/usr/bin:/bin"),
            f"PYTHONPATH={ROOT}",
        ]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.home / "agent.log").open("wb") as log:
            return subprocess.Popen(
                [*self._become, sys.executable, "-m", *words], cwd="/", stdout=log, stderr=log
            )

    def ctl(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            [*self._become, sys.executable, "-m", "computed.cmd.ctl", *words],
            capture_output=True,
            text=True,
            timeout=200,
            cwd="/",
        )
        log = (self.home / "agent.log").read_text()[-2000:]
        assert done.returncode == status, f"{words}: {done.stdout}{done.stderr}\n{log}"
        return done.stdout


@pytest.mark.long
def test_an_ordinary_user_needs_nothing_from_root(own_libvirtd: object, user: str) -> None:
    """With the libvirt of the session, in a home that nobody else can look into."""
    person = Person(user)
    (person.home / "alone.conf").write_text(
        "[DEFAULT]\ncompute_driver = libvirt.LibvirtDriver\n[alone]\nenabled = true\n"
        "[libvirt]\nvirt_type = qemu\n"
    )
    config = str(person.home / "alone.conf")
    agent = person.start("computed.cmd.agent", "--config-file", config)
    try:
        socket = person.home / ".local" / "state" / "computed" / "computed.sock"

        def is_there() -> None:
            assert agent.poll() is None, (person.home / "agent.log").read_text()
            if not socket.exists():
                raise waiting.NotYet(socket)

        waiting.until("the socket is there", is_there, 60)
        source = person.home / "tiny.qcow2"
        shutil.copy(guest_image.ensure().qcow2, source)
        shutil.chown(source, user)
        person.ctl("image", "add", "tiny", str(source))
        shown = person.ctl("server", "create", "mine", "--image", "tiny", "--wait", "--format", "json")
        server = json.loads(shown)
        assert server["status"] == "ACTIVE"

        def console() -> None:
            text = person.ctl("server", "console", "mine")
            if not guest_image.marks(text, "ready"):
                raise waiting.NotYet(text[-300:])

        waiting.until("the guest is ready", console, 120, 1)
        person.ctl("server", "delete", "mine", "--wait")
        assert not (socket.parent / "instances" / server["id"]).exists()
        assert not re.search("rootwrap|privsep", (person.home / "agent.log").read_text())
    finally:
        agent.terminate()
        agent.wait(30)
