"""An agent that is not root: in groups libvirt and kvm, with sudo for computed-rootwrap and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_privsep import capabilities

from computed.states import PowerState
from tests.integration import guest_image

pytest.importorskip("libvirt")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("sudo"), reason="needs root and sudo"),
    pytest.mark.timeout(600),
]

_REPOSITORY = Path(__file__).resolve().parents[3]
_HOST = Path(__file__).with_name("unprivileged_host.sh")
_APART = ("unshare", "--mount", "--net", "--propagation", "private", "--pid", "--fork", "--mount-proc")
_GIB = 1 << 30


@pytest.fixture(scope="module")
def life() -> Iterator[dict[str, Any]]:
    """What an agent without rights saw while a guest lived, and what root found to be left of it."""
    directory = Path(tempfile.mkdtemp(prefix="computed-unprivileged-"))
    directory.chmod(0o755)
    try:
        shutil.copyfile(guest_image.ensure().qcow2, directory / "image.qcow2")
        words = [*_APART, "--kill-child", "sh", str(_HOST), str(directory), sys.executable, str(_REPOSITORY)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=560)
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
        seen: dict[str, Any] = json.loads((directory / "results" / "seen").read_text())
        left = dict(line.split(":", 1) for line in (directory / "left").read_text().splitlines())
        yield {**seen, "left": {name: text.split() for name, text in left.items()}}
    finally:
        shutil.rmtree(directory)


def test_the_agent_is_nobody_special(life: dict[str, Any]) -> None:
    assert life["uid"] > 0
    assert life["capabilities"] == 0


def test_the_guest_lives_and_is_snapshot(life: dict[str, Any]) -> None:
    assert life["boots"] == 4
    for name in ("live", "cold"):
        assert life[f"{name}_snapshot"] == {"size": _GIB, "base": None, "is_sound": True}
    assert life["state_after_power_off"] == PowerState.SHUTDOWN


def test_others_own_the_files_meanwhile(life: dict[str, Any]) -> None:
    # else nothing of this would be shown
    assert life["owner_of_disk"] != life["uid"]
    assert life["owner_of_console_log"] == 0


def test_a_disk_that_libvirt_has_left_to_root_is_taken_back(life: dict[str, Any]) -> None:
    assert life["owner_of_stopped_disk"] == 0
    assert life["has_grown"] is True
    assert life["owner_of_grown_disk"] == life["uid"]


def test_what_runs_as_root_has_the_rights_that_it_needs(life: dict[str, Any]) -> None:
    def mask(*names: int) -> int:
        return sum(1 << name for name in names)

    # os-vif asks for the first only, and gets both: its own tests' context has the same section
    owner, rights = life["helpers"].pop("vif_plug_ovs.privsep.vif_plug")
    assert owner == 0
    assert rights & ~mask(capabilities.CAP_NET_ADMIN, capabilities.CAP_DAC_OVERRIDE) == 0
    assert life["helpers"] == {
        "computed.privileged.files_context": [
            0,
            mask(capabilities.CAP_CHOWN, capabilities.CAP_DAC_READ_SEARCH),
        ],
        "computed.privileged.network_context": [0, mask(capabilities.CAP_NET_ADMIN)],
    }


def test_nothing_else_becomes_root(life: dict[str, Any]) -> None:
    assert life["refused"] == [True] * len(life["refused"])
    assert len(life["refused"]) > 5


def test_nothing_is_left(life: dict[str, Any]) -> None:
    assert {name: found for name, found in life["left"].items() if name != "files"} == {
        "domains": [],
        "ports": [],
        "taps": [],
    }
    assert set(life["left"]["files"]) <= {"_base", "locks", "snapshots", "compute_nodes"}
