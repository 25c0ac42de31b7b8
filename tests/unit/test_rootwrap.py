"""Which commands the shipped root helper lets through."""

import subprocess
import sys
from pathlib import Path

import pytest
from oslo_rootwrap import wrapper

ETC = Path(__file__).resolve().parents[2] / "etc" / "computed"


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        (["privsep-helper", "--privsep_context", "computed.privileged.network_context"], True),
        (["/tmp/privsep-helper"], False),
        (["sh", "-c", "id"], False),
        (["qemu-img", "info", "/etc/shadow"], False),
        (["mount", "/dev/sda", "/mnt"], False),
    ],
)
def test_the_helper_process_and_nothing_else_becomes_root(command: list[str], allowed: bool) -> None:
    loaded = wrapper.load_filters([str(ETC / "rootwrap.d")])
    assert any(f.match(command) for f in loaded) is allowed


def test_the_program_runs_what_its_filters_name_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a.filters").write_text("[Filters]\necho: CommandFilter, echo, root\n")
    config = tmp_path / "rootwrap.conf"
    config.write_text(f"[DEFAULT]\nfilters_path={tmp_path}/f\nexec_dirs=/bin,/usr/bin\n")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        program = "from computed.cmd.rootwrap import main; main()"
        argv = [sys.executable, "-c", program, str(config), *command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    assert run("echo", "hello").stdout.strip() == "hello"
    assert run("id").returncode == 99
