"""Which commands the shipped root helper lets through."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from oslo_utils import importutils

from computed.cmd import rootwrap

ETC = Path(__file__).resolve().parents[2] / "etc" / "computed"
NETWORK = "computed.privileged.network_context"
SOCKET = ("--privsep_sock_path", "/tmp/tmpabc/privsep.sock")
HELPER = ("privsep-helper", "--privsep_context")


@pytest.fixture
def roots_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests, files under /etc are root's and files elsewhere are not."""
    monkeypatch.setattr(rootwrap, "is_roots_own", lambda path: str(path).startswith("/etc/"))


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ((*HELPER, NETWORK, *SOCKET), True),
        ((*HELPER, "computed.privileged.files_context", *SOCKET), True),
        ((*HELPER, "vif_plug_ovs.privsep.vif_plug", *SOCKET), True),
        (("privsep-helper", "--config-file", "/etc/nova/nova.conf", *HELPER[1:], NETWORK, *SOCKET), True),
        (
            (
                *("privsep-helper", "--config-file", "/etc/nova/a.conf", "--config-file", "/etc/nova/b.conf"),
                *("--config-dir", "/etc/nova/nova.conf.d", *HELPER[1:], NETWORK, *SOCKET),
            ),
            True,
        ),
        (("privsep-helper", "--config-file", "/home/me/x.conf", *HELPER[1:], NETWORK, *SOCKET), False),
        (("privsep-helper", "--config-dir", "/home/me", *HELPER[1:], NETWORK, *SOCKET), False),
        ((*HELPER, "os.system", *SOCKET), False),
        ((*HELPER, "nova.privsep.sys_admin_pctxt", *SOCKET), False),
        ((*HELPER, NETWORK), False),
        ((*HELPER, NETWORK, *SOCKET, *HELPER[1:], NETWORK), False),
        ((*HELPER, NETWORK, *SOCKET, "--log-file", "/etc/passwd"), False),
        ((*HELPER, NETWORK, *SOCKET, "--debug"), False),
        ((*HELPER, NETWORK, "--privsep_sock_path", "/tmp/../etc/x"), False),
        ((*HELPER, NETWORK, "--privsep_sock_path=/tmp/x"), False),
        (("privsep-helper",), False),
        (("/tmp/privsep-helper", *HELPER[1:], NETWORK, *SOCKET), False),
        (("sh", "-c", "id"), False),
        (("qemu-img", "info", "/etc/shadow"), False),
        (("mount", "/dev/sda", "/mnt"), False),
        ((), False),
    ],
)
@pytest.mark.usefixtures("roots_file")
def test_our_helper_processes_and_nothing_else_become_root(command: tuple[str, ...], allowed: bool) -> None:
    loaded = rootwrap.load_filters([str(ETC / "rootwrap.d")])
    assert any(each.match(list(command)) for each in loaded) is allowed


def test_a_stock_host_s_filters_do_not_open_the_door_again(tmp_path: Path) -> None:
    (tmp_path / "a.filters").write_text("[Filters]\nprivsep-helper: CommandFilter, privsep-helper, root\n")
    loaded = rootwrap.load_filters([str(tmp_path)])
    assert not any(each.match([*HELPER, "os.system", *SOCKET]) for each in loaded)


@pytest.mark.parametrize(
    "context", sorted(name for name in rootwrap.CONTEXTS if name.startswith("computed."))
)
def test_the_contexts_are_there(context: str) -> None:
    assert importutils.import_class(context).pypath == context


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of root's")
def test_what_root_alone_can_change(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs.conf", tmp_path / "ours.conf"
    for path in (theirs, ours):
        path.write_text("")
    theirs.chmod(0o666)
    link = tmp_path / "link.conf"
    link.symlink_to(theirs)
    assert rootwrap.is_roots_own(Path("/etc/hostname"))
    assert not rootwrap.is_roots_own(theirs)
    assert not rootwrap.is_roots_own(link)
    # everybody may put files into /tmp
    assert not rootwrap.is_roots_own(ours)
    assert not rootwrap.is_roots_own(tmp_path / "missing")
    assert not rootwrap.is_roots_own(Path("etc/hostname"))


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
    assert run(*HELPER, "os.system", *SOCKET).returncode == 99
