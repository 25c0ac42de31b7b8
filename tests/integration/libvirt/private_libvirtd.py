"""A libvirtd of a test's own, which may be killed: with its own /run, /var/lib and /etc of libvirt.

It lives in a mount namespace of its own, so it and the libvirtd of the machine know nothing of each other.
Its socket is outside of the namespace, and so are the files of guests. Needs root.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HIDDEN = ("/run/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/etc/libvirt", "/var/log/libvirt")
_START_SECONDS = 60.0
_SMALL_MIB = 8
_FIRST_PORT = 20000
_APART = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc")
_SCRIPT = """
set -e
for d in {hidden}; do mkdir -p $d; mount -t tmpfs -o mode=0755 none $d; done
echo 'stdio_handler = "file"' > /etc/libvirt/qemu.conf
echo 'remember_owner = 0' >> /etc/libvirt/qemu.conf
echo 'remote_display_port_min = {port}' >> /etc/libvirt/qemu.conf
echo 'remote_display_port_max = '$(({port} + 99)) >> /etc/libvirt/qemu.conf
while :; do sleep 0.2; [ -e {go} ] || continue; rm -f {go}
  cd {directory}
  /usr/sbin/libvirtd -f $PWD/libvirtd.conf -p $PWD/libvirtd.pid >> libvirtd.log 2>&1 &
done
"""


class PrivateLibvirtd:
    """`uri` is for libvirt-python; `small` is a directory that is soon full. Started by `start`, as often as
    the test likes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._go = directory / "go"
        self.small = directory / "small"
        self._socket = directory / "sock" / "libvirt-sock"
        self.uri = f"qemu+unix:///system?socket={self._socket}"
        self._namespace: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PrivateLibvirtd:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o711)
        self._socket.parent.mkdir(exist_ok=True)
        (self._directory / "libvirtd.conf").write_text(
            f'unix_sock_dir = "{self._socket.parent}"\nauth_unix_rw = "none"\nlog_outputs = "3:stderr"\n'
        )
        # Before there is a second view of the mounts.
        self.small.mkdir(exist_ok=True)
        size = f"size={_SMALL_MIB}m,mode=0711"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", str(self.small)], check=True)
        # Several libvirtds would give the same port to their guests.
        port = _FIRST_PORT + os.getpid() % 300 * 100
        script = _SCRIPT.format(port=port, hidden=" ".join(_HIDDEN), go=self._go, directory=self._directory)
        self._namespace = subprocess.Popen(
            [*_APART, "sh", "-c", script]
        )
        self.start()
        return self

    def start(self) -> None:
        """Start it (again) and wait until it answers."""
        self._socket.unlink(missing_ok=True)
        self._go.touch()
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run(["virsh", "-c", self.uri, "version"], capture_output=True).returncode:
            assert time.monotonic() < deadline, (self._directory / "libvirtd.log").read_text()[-2000:]
            time.sleep(0.3)

    def signal(self, number: int) -> None:
        """Send libvirtd itself a signal; its guests go on."""
        for pid in self._pids("libvirtd"):
            os.kill(pid, number)

    def kill(self) -> None:
        """As a crash would."""
        self.signal(signal.SIGKILL)

    def virsh(self, *words: str) -> str:
        """What virsh says."""
        done = subprocess.run(["virsh", "-c", self.uri, *words], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __exit__(self, *exc: object) -> None:
        """All in the namespace of processes ends with its first one, guests and all."""
        assert self._namespace is not None
        for pid in self._children(self._namespace.pid):
            os.kill(pid, signal.SIGKILL)
        self._namespace.wait(30)
        subprocess.run(["umount", str(self.small)], check=True)

    def _pids(self, program: str) -> Iterator[int]:
        """Processes of the namespace, by the name of their program."""
        assert self._namespace is not None
        found = list(self._children(self._namespace.pid))
        for pid in found:
            found.extend(self._children(pid))
            if Path(f"/proc/{pid}/comm").read_text().strip() == program:
                yield pid

    @staticmethod
    def _children(pid: int) -> list[int]:
        try:
            return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except FileNotFoundError:
            return []


@contextmanager
def private_libvirtd(directory: Path) -> Iterator[PrivateLibvirtd]:
    """One in `directory`, which QEMU's own user must be able to reach; everything is gone afterwards."""
    with PrivateLibvirtd(directory) as libvirtd:
        yield libvirtd
    shutil.rmtree(directory, ignore_errors=True)
