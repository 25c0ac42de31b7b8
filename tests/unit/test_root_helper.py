"""How privileged helpers become root, tried in processes of their own: oslo.privsep is told once."""

from __future__ import annotations

import subprocess
import sys

import pytest


def _run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("is_disabled", "words"),
    [
        (False, ["sudo", "computed-rootwrap", "/etc/nova/rootwrap.conf"]),
        (True, ["sudo"]),
    ],
)
def test_the_helper_s_command(is_disabled: bool, words: list[str]) -> None:
    script = f"""
from computed.conf import CONF
from computed.cmd import wiring
CONF([], default_config_files=[], default_config_dirs=[])
CONF.set_override("disable_rootwrap", {is_disabled}, group="workarounds")
CONF.set_override("rootwrap_config", "/etc/nova/rootwrap.conf")
wiring.prepare_root_helper(CONF)
from computed import privileged
command = privileged.network_context.helper_command("/tmp/socket")
print(command[:{len(words)}], "privsep-helper" in command)
"""
    assert _run(script) == f"{words} True"


def test_a_host_that_needs_no_root_does_not_load_the_library() -> None:
    script = "import sys; from computed.cmd import wiring; print('oslo_privsep' in sys.modules)"
    assert _run(script) == "False"
