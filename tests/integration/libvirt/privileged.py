"""The agent's configuration for tests that need root's helpers; these tests are root and need no sudo."""

from __future__ import annotations

import sys
from pathlib import Path

import os_vif
from oslo_config import cfg

from computed import privileged
from computed.conf import CONF
from tests.integration.libvirt.switch import DATABASE

_ROOT = Path(__file__).resolve().parents[3]
SECTIONS = ("vif_plug_ovs_privileged", "computed_network_privileged")


def helper_command(config: Path) -> str:
    """The helper of this Python, which finds this repository."""
    helper = Path(sys.executable).with_name("privsep-helper")
    return f"env PYTHONPATH={_ROOT} {helper} --config-file {config}"


def configure(directory: Path, more: str = "") -> cfg.ConfigOpts:
    """Read a file made for the test and let os-vif load its plugins; returns the configuration."""
    config = directory / "computed.conf"
    sections = "".join(f"[{name}]\nhelper_command = {helper_command(config)}\n" for name in SECTIONS)
    # os-vif has one connection for the life of a process. When another module's switch has gone and ours has
    # come, it tries again every eight seconds at worst; what it cannot do in time it only logs.
    switch = f"[os_vif_ovs]\novsdb_connection = unix:{DATABASE}\novs_vsctl_timeout = 60\n"
    config.write_text(f"[DEFAULT]\ninstances_path = {directory}/instances\n{more}{switch}{sections}")
    CONF([], default_config_files=[str(config)], default_config_dirs=[])
    os_vif.initialize(reset=True)
    return CONF


def stop_helpers() -> None:
    """End the helper processes of this process."""
    from vif_plug_ovs import privsep

    for context in (privsep.vif_plug, privileged.network_context):
        context.stop()
