"""What a one-host cloud whose servers are real guests is set to, where its user says nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oslo_config import cfg

_KVM = "/dev/kvm"
_SESSION = "qemu:///session"


def settle(conf: cfg.ConfigOpts) -> None:
    """Give the options their defaults; files still win.

    An ordinary user has the libvirt of the session, whose guests run as that user: no group to join, no
    directory to open to others. Without a metadata service each guest has a config drive.
    """
    conf.set_default("virt_type", "kvm" if os.access(_KVM, os.R_OK | os.W_OK) else "qemu", group="libvirt")
    if _is_machine(conf):
        # A container has no network that would need no bridge, and no drives.
        conf.set_default("network", "user", group="alone")
        conf.set_default("force_config_drive", True)
    if not is_root() and _is_machine(conf):
        conf.set_default("connection_uri", _SESSION, group="libvirt")


def run_as_others(conf: cfg.ConfigOpts) -> bool:
    """Whether guests run as another user than the agent, who must get at their disks."""
    uri = conf.libvirt.connection_uri or (_SESSION if _is_machine(conf) else "")
    return is_root() or "session" not in uri


def _is_machine(conf: cfg.ConfigOpts) -> bool:
    """Whether QEMU runs the guests, which it does for ordinary users, too."""
    return conf.libvirt.virt_type in ("kvm", "qemu")


def inspect(path: Path, image_id: str, disk_format: str) -> object:
    """Refuse what a build would refuse, before anybody waits for one. Raises ImageUnacceptable."""
    # Imported here: it is of the extra `libvirt`.
    from computed.virt.libvirt.storage import inspection

    return inspection.inspect(path, image_id, disk_format)


def is_root() -> bool:
    """Whether this process may do everything."""
    return os.geteuid() == 0
