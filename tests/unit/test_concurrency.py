"""Which concurrency backend is chosen before anything is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from computed.cmd.concurrency import ENVIRONMENT, EVENTLET, peek_concurrency_backend


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "eventlet"),
        ("[DEFAULT]\nconcurrency_backend = threading\n", "threading"),
        ("[DEFAULT]\nconcurrency_backend: threading\n", "threading"),
        ("[DEFAULT]\nconcurrency-backend='threading'\n", "threading"),
        ("[DEFAULT]\nconcurrency_backend = auto\n", "eventlet"),
        ("[DEFAULT]\nconcurrency_backend = nonsense\n", "eventlet"),
        ("[DEFAULT]\n# concurrency_backend = threading\n", "eventlet"),
        ("[libvirt]\nconcurrency_backend = threading\n", "eventlet"),
        ("[DEFAULT]\nhost = a\n[libvirt]\nx = 1\n[DEFAULT]\nconcurrency_backend = threading\n", "threading"),
        (
            "[DEFAULT]\nconcurrency_backend = threading\n[DEFAULT]\nconcurrency_backend = eventlet\n",
            "eventlet",
        ),
        ("[DEFAULT]\nhost = a\n  concurrency_backend = threading\n", "eventlet"),
        ("no section\nconcurrency_backend = threading\n", "eventlet"),
    ],
)
def test_the_file_that_argv_names(tmp_path: Path, text: str, expected: str) -> None:
    path = _write(tmp_path / "a.conf", text)
    assert peek_concurrency_backend(["--config-file", path], {}) == expected
    assert peek_concurrency_backend([f"--config-file={path}"], {}) == expected


def test_the_last_file_and_then_the_directory_win(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.conf", "[DEFAULT]\nconcurrency_backend = eventlet\n")
    second = _write(tmp_path / "b.conf", "[DEFAULT]\nconcurrency_backend = threading\n")
    argv = ["--config-file", first, "--config-file", second]
    assert peek_concurrency_backend(argv, {}) == "threading"
    _write(tmp_path / "d" / "10.conf", "[DEFAULT]\nconcurrency_backend = eventlet\n")
    assert peek_concurrency_backend([*argv, "--config-dir", str(tmp_path / "d")], {}) == "eventlet"


def test_a_missing_file_is_left_to_the_full_reading(tmp_path: Path) -> None:
    assert peek_concurrency_backend(["--config-file", str(tmp_path / "absent")], {}) == "eventlet"


@pytest.mark.parametrize(
    "place",
    ["etc/nova/nova.conf", "etc/nova/nova-compute.conf", "etc/computed/computed.conf", "home/nova.conf"],
)
def test_the_usual_places(tmp_path: Path, place: str) -> None:
    _write(tmp_path / place, "[DEFAULT]\nconcurrency_backend = threading\n")
    environ = {"HOME": str(tmp_path / "home")}
    assert peek_concurrency_backend([], environ, root=tmp_path) == "threading"
    other = _write(tmp_path / "named.conf", "")
    assert peek_concurrency_backend(["--config-file", other], environ, root=tmp_path) == "eventlet"


def test_the_usual_directory(tmp_path: Path) -> None:
    _write(tmp_path / "etc/nova/nova.conf", "[DEFAULT]\nconcurrency_backend = threading\n")
    _write(tmp_path / "etc/nova/nova.conf.d/9.conf", "[DEFAULT]\nconcurrency_backend = eventlet\n")
    assert peek_concurrency_backend([], {}, root=tmp_path) == "eventlet"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"COMPUTED_CONCURRENCY_BACKEND": "threading"}, "threading"),
        ({"COMPUTED_CONCURRENCY_BACKEND": "eventlet", "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1"}, "eventlet"),
        ({"OS_NOVA_DISABLE_EVENTLET_PATCHING": "True"}, "threading"),
        ({"OS_NOVA_DISABLE_EVENTLET_PATCHING": "0"}, "eventlet"),
        ({"OS_DEFAULT__CONCURRENCY_BACKEND": "threading"}, "threading"),
    ],
)
def test_the_environment_wins(tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    opposite = "eventlet" if expected == "threading" else "threading"
    path = _write(tmp_path / "a.conf", f"[DEFAULT]\nconcurrency_backend = {opposite}\n")
    assert peek_concurrency_backend(["--config-file", path], environ) == expected


def test_this_very_run_is_green_if_it_says_so() -> None:
    patched = "eventlet" in sys.modules and sys.modules["eventlet"].patcher.is_monkey_patched("thread")
    assert patched is (os.environ.get(ENVIRONMENT) == EVENTLET)


def test_looking_imports_nothing_that_must_be_patched() -> None:
    script = (
        "import sys; from computed.cmd.concurrency import peek_concurrency_backend as peek; "
        "peek([], {}); print([m for m in ('oslo_config', 'threading', 'socket') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
