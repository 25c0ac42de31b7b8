"""Brings what the integration tests need before any is collected: packages, and the binding to libvirt.

python -m tests.integration.prepare

Tests look for programs when they are collected, and the lanes (lanes.py) begin at once.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.integration import guest_image
from tests.integration.libvirt import own_libvirtd
from tests.integration.plane import hypervisor, install

_SUDO = {"/usr/bin/sudo": "sudo", "/usr/bin/setpriv": "util-linux", "/usr/sbin/useradd": "passwd"}
PROGRAMS = {
    **install.PROGRAMS,
    **hypervisor.PROGRAMS,
    **guest_image.PROGRAMS,
    **own_libvirtd.PROGRAMS,
    **_SUDO,
}


def main() -> None:
    """Install what is missing; who may not is told by the tests that miss it."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "install.log"
        if os.geteuid() == 0 and shutil.which("apt-get"):
            install.ensure_programs(log, PROGRAMS)
        # Not an extra of the tox environment: it is compiled, and that takes packages.
        install.ensure_binding(sys.executable, log)


if __name__ == "__main__":
    main()
