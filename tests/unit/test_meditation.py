"""A report of what every thread does, from a process of its own that gets the signal or sees the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys, signal, time
from computed.cmd import concurrency
concurrency.patch({backend!r})
from computed.conf import CONF
from computed.cmd import meditation
CONF([], default_config_files={files!r}, default_config_dirs=[])
meditation.install(CONF, "nova-compute")
print("early" if "oslo_reports.guru_meditation_report" in sys.modules else "late")
{trigger}
end = time.time() + 20
while time.time() < end and {waiting}:
    time.sleep(0.05)
print("alive")
"""


def _run(tmp_path: Path, backend: str, trigger: str, settings: str, waiting: str) -> tuple[str, str]:
    file = tmp_path / "a.conf"
    file.write_text(f"[oslo_reports]\n{settings}\n")
    script = SCRIPT.format(backend=backend, files=[str(file)], trigger=trigger, waiting=waiting)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("backend", ["threading", "eventlet"])
def test_the_signal(tmp_path: Path, backend: str) -> None:
    said, report = _run(tmp_path, backend, "os.kill(os.getpid(), signal.SIGUSR2)", "", "False")
    assert said == "late\nalive\n", "oslo.reports is needed on no ordinary day"
    assert "Guru Meditation" in report
    assert "Threads" in report
    assert "computed" in report


def test_the_signal_with_a_directory(tmp_path: Path) -> None:
    _run(tmp_path, "threading", "os.kill(os.getpid(), signal.SIGUSR2)", f"log_dir = {tmp_path}", "False")
    [report] = tmp_path.glob("nova-compute_gurumeditation_*")
    assert "Threads" in report.read_text()


def test_the_file(tmp_path: Path) -> None:
    watched = tmp_path / "touch-me"
    watched.touch()
    said, _ = _run(
        tmp_path,
        "threading",
        f"time.sleep(0.3); os.utime({str(watched)!r}, (time.time() + 5, time.time() + 5))",
        f"file_event_handler = {watched}\nfile_event_handler_interval = 1\nlog_dir = {tmp_path}",
        f"not [n for n in os.listdir({str(tmp_path)!r}) if 'gurumeditation' in n]",
    )
    assert said == "early\nalive\n"
    assert list(tmp_path.glob("nova-compute_gurumeditation_*"))
