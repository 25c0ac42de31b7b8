"""A libvirtd that belongs to one test: it may be stopped, killed and started again, and nobody else notices.

It lives in a mount namespace of its own, where /run/libvirt, /var/lib/libvirt, /etc/libvirt and its logs are
directories of the test; its socket is outside, where the agent reaches it. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.integration.plane import install, waiting

#: program looked for -> Debian package that has it
PROGRAMS = {
    "/usr/sbin/libvirtd": "libvirt-daemon-system",
    "/usr/bin/virsh": "libvirt-clients",
    "/usr/bin/qemu-system-x86_64": "qemu-system-x86",
    "/usr/lib/libvirt/libvirt_lxc": "libvirt-daemon-driver-lxc",
    "/bin/busybox": "busybox-static",
}
START_SECONDS = 30.0
_FIRST_SCREEN = 20000
_PLACES = {
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
    "cache": "/var/cache/libvirt",
    "etc": "/etc/libvirt",
}
# No group of processes but the service manager's: that one hides the others from containers.
_UNSHARE = ["unshare", "--mount", "--propagation", "slave", "sh", "-c"]


class OwnLibvirtd:
    """`directory` is short, for sockets lie in it, and open to those whom QEMU runs as.

    With `is_root` QEMU runs as root, so that disks may lie where only root gets."""

    def __init__(self, directory: Path, *, is_root: bool = False) -> None:
        self.directory = directory
        self.socket = directory / "sock" / "libvirt-sock"
        self._is_root = is_root
        self._process: subprocess.Popen[bytes] | None = None

    def uri(self, driver: str = "qemu:///system") -> str:
        """Where `driver` ("lxc:///system", "test:///default") of this daemon is found."""
        scheme, rest = driver.split(":", 1)
        return f"{scheme}+unix:{rest}?socket={self.socket}"

    @property
    def pid(self) -> int:
        """Of libvirtd."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, or start it again beside the guests that outlived it; returns when it answers."""
        if not (self.directory / "virtlogd.pid").exists():
            self._prepare()
            argv = [*_UNSHARE, self._script()]
        else:
            namespace = f"--mount=/proc/{self._pid_in('virtlogd.pid')}/ns/mnt"
            argv = ["nsenter", namespace, "sh", "-c", f"exec {self._command()}"]
        with (self.directory / "libvirtd.out").open("ab") as out:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        waiting.until("libvirtd answers", self._answers, START_SECONDS, 0.2)

    def _prepare(self) -> None:
        for name in (*_PLACES, "sock"):
            (self.directory / name).mkdir(exist_ok=True)
        shutil.copytree("/etc/libvirt", self.directory / "etc", dirs_exist_ok=True, symlinks=True)
        shutil.rmtree(self.directory / "etc" / "qemu", ignore_errors=True)
        # Several libvirtds would give the same port to their guests.
        port = _FIRST_SCREEN + os.getpid() % 300 * 100
        (self.directory / "etc" / "qemu.conf").write_text(
            "cgroup_controllers = []\nsecurity_driver = []\nnamespaces = []\n"
            f"remote_display_port_min = {port}\nremote_display_port_max = {port + 99}\n"
            + ('user = "root"\ngroup = "root"\nremember_owner = 0\n' if self._is_root else "")
        )
        (self.directory / "libvirtd.conf").write_text(
            f'unix_sock_dir = "{self.directory}/sock"\nauth_unix_rw = "none"\n'
            'log_outputs = "3:stderr"\nkeepalive_interval = -1\n'
        )

    def _script(self) -> str:
        binds = (f"mount --bind {self.directory}/{name} {place}" for name, place in _PLACES.items())
        return "\n".join(
            [
                "set -e",
                f"mkdir -p {' '.join(_PLACES.values())}",
                "umount /sys/fs/cgroup/unified 2>/dev/null || true",
                *binds,
                f"virtlogd -d --pid-file {self.directory}/virtlogd.pid",
                f"exec {self._command()}",
            ]
        )

    def _command(self) -> str:
        return f"libvirtd -f {self.directory}/libvirtd.conf --pid-file {self.directory}/libvirtd.pid"

    def _answers(self) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError((self.directory / "libvirtd.out").read_text()[-2000:])
        # Either it does not listen yet, or it answers as soon as it is ready.
        if self.virsh("version", timeout=START_SECONDS).returncode:
            raise waiting.NotYet("no answer")

    def virsh(
        self, *words: str, driver: str = "qemu:///system", timeout: float = 20
    ) -> subprocess.CompletedProcess[str]:
        """Ask it something, beside the agent."""
        command = ["virsh", "-q", "-c", self.uri(driver), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)

    def domains(self, driver: str = "qemu:///system") -> list[str]:
        """Names of all of them, running or not."""
        return self.virsh("list", "--all", "--name", driver=driver).stdout.split()

    def kill(self) -> None:
        """End it with no time for goodbyes; guests run on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """From now on it neither answers nor hangs up; its socket takes connections all the same."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """After `freeze`."""
        os.kill(self.pid, signal.SIGCONT)

    def recover(self) -> None:
        """It is to serve again, whatever a test has done to it."""
        assert self._process is not None
        if self._process.poll() is None:
            self.thaw()
        else:
            self.start()

    def end(self) -> None:
        """End it, its guests and its directories."""
        if self._process is not None:
            if self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGCONT)
                self._process.kill()
            self._process.wait(10)
        for guest in (*self._guest_pids(), self._pid_in("virtlogd.pid")):
            if guest:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(guest, signal.SIGKILL)

    def _guest_pids(self) -> Iterator[int]:
        for path in (*self.directory.glob("run/qemu/*.pid"), *self.directory.glob("run/lxc/*.pid")):
            yield self._pid_in(str(path))

    def _pid_in(self, name: str) -> int:
        """0 when nobody has written one."""
        try:
            return int((self.directory / name).read_text())
        except (FileNotFoundError, ValueError):
            return 0


@contextlib.contextmanager
def running(directory: Path, *, is_root: bool = False) -> Iterator[OwnLibvirtd]:
    """One in `directory`/libvirt, started; what is mounted under `directory` later it sees, too.

    Installs what is missing of libvirt (with apt)."""
    install.ensure_programs(directory / "apt.log", PROGRAMS)
    made = OwnLibvirtd(directory / "libvirt", is_root=is_root)
    made.directory.mkdir()
    mount("--bind", directory, directory)
    mount("--make-shared", directory)
    try:
        made.start()
        yield made
    finally:
        made.end()
        subprocess.run(["umount", "--lazy", directory], check=True, timeout=20)


@contextlib.contextmanager
def open_directory() -> Iterator[Path]:
    """A directory with a short name that the user whom QEMU runs as may pass through; gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="computed-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def mount(*words: str | Path) -> None:
    """Call mount(8)."""
    subprocess.run(["mount", *words], check=True, timeout=20)
