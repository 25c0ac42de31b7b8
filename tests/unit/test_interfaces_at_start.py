"""Whether os-vif is made ready at the start, tried in processes of their own: it cannot be undone."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import sys
from computed.conf import CONF
from computed.cmd import wiring
CONF([], default_config_files=[], default_config_dirs=[])
CONF.set_override("compute_driver", "{driver}")
wiring.prepare_interfaces(CONF)
if "os_vif" in sys.modules:
    import os_vif
    print("ovs" in os_vif._EXT_MANAGER.names())
else:
    print("not loaded")
"""


@pytest.mark.parametrize(
    ("driver", "is_ready"),
    [
        ("libvirt.LibvirtDriver", "True"),
        ("fake.FakeDriver", "not loaded"),
        ("fake.MediumFakeDriver", "not loaded"),
    ],
)
def test_plugins_are_loaded_for_a_driver_that_plugs(driver: str, is_ready: str) -> None:
    script = _SCRIPT.format(driver=driver)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == is_ready
