"""A libvirtd of a test's own, which may be stopped and killed: the machine's own one serves others too."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

_SECONDS = 20.0
# Everything that a libvirtd keeps is hidden in a mount namespace, so that two can run as root. The shell
# stays and starts it again in the same namespace, where the guests of the one before have their sockets.
_SCRIPT = """
for place in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt/qemu; do
    [ -d $place ] && mount -t tmpfs none $place
done
mount --bind $1/qemu.conf /etc/libvirt/qemu.conf
while :; do
    libvirtd -f $1/libvirtd.conf -p $1/libvirtd.pid &
    wait $!
    until [ -e $1/again ]; do sleep 0.05; done
    rm $1/again
done
"""
_LIBVIRTD = """
unix_sock_dir = "{directory}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:{directory}/log"
"""
_QEMU = """
stdio_handler = "file"
user = "root"
group = "root"
remember_owner = 0
cgroup_controllers = []
namespaces = []
"""


class Libvirtd:
    """A daemon in `directory`, with QEMU and with libvirt's test driver."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._socket = directory / "libvirt-sock"
        (directory / "libvirtd.conf").write_text(_LIBVIRTD.format(directory=directory))
        (directory / "qemu.conf").write_text(_QEMU)
        words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT, "sh", str(directory)]
        self._shell = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.wait()

    def uri(self, driver: str) -> str:
        """Where `driver` ("test:///default", "qemu:///system") of this daemon is reached."""
        scheme, rest = driver.split(":", 1)
        return f"{scheme}+unix:{rest}?socket={self._socket}"

    @property
    def pid(self) -> int:
        return int((self.directory / "libvirtd.pid").read_text())

    def wait(self) -> None:
        """Until it answers."""
        words = ["virsh", "-c", self.uri("test:///default"), "uri"]
        end = time.monotonic() + _SECONDS
        while subprocess.run(words, capture_output=True, timeout=_SECONDS).returncode:
            assert time.monotonic() < end, "libvirtd does not answer"
            time.sleep(0.05)

    def freeze(self) -> None:
        """It stands still, and its socket takes connections all the same."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """It dies without a word; its guests live on."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + _SECONDS
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.02)

    def start_again(self) -> None:
        """After `kill`."""
        (self.directory / "again").touch()
        self.wait()

    def close(self) -> None:
        os.killpg(self._shell.pid, signal.SIGCONT)
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait(_SECONDS)


def is_possible() -> bool:
    """Whether this machine and this user can run one."""
    return os.geteuid() == 0 and all(shutil.which(name) for name in ("libvirtd", "virsh", "unshare"))
