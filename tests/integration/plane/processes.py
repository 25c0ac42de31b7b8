"""Start, watch and end the daemons of a control plane, so that none outlives the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.plane import waiting
from tests.integration.plane.settings import clean_environment

_REAPER = Path(__file__).with_name("reaper.py")


def start_time(pid: int) -> str | None:
    """When the kernel started this process, in clock ticks since boot; None for a process that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state == "Z" else rest[18]


class DaemonDied(AssertionError):
    """A daemon ended that should run."""


class Reaper:
    """A small process that kills the registered process groups when this process dies, however it dies."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(_REAPER)], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def watch(self, pid: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{pid}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End of the run: whatever is still there is killed now."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@dataclass
class Daemon:
    """One program, in a process group of its own; its output goes to ``log``."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    reaper: Reaper | None = None
    record: Path | None = None
    #: seconds between TERM and KILL
    grace_seconds: float = 8
    _process: subprocess.Popen[bytes] | None = None
    _identity: tuple[int, str | None] | None = None

    def start(self) -> None:
        if self.is_alive():
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            output.write(f"=== {time.strftime('%F %T')} {' '.join(self.argv)}\n".encode())
            output.flush()
            self._process = subprocess.Popen(
                list(self.argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**clean_environment(), **self.env},
                cwd=self.log.parent,
                start_new_session=True,
            )
        self._identity = (self._process.pid, start_time(self._process.pid))
        if self.reaper is not None:
            self.reaper.watch(self._process.pid)
        if self.record is not None:
            self.record.write_text(json.dumps(self._identity))

    def adopt(self) -> None:
        """Take over the process that an earlier run recorded, if there is one."""
        if self.record is not None and self.record.exists():
            pid, started = json.loads(self.record.read_text())
            self._identity = (pid, started)

    @property
    def pid(self) -> int:
        assert self._identity is not None, f"{self.name} was never started"
        return self._identity[0]

    def is_alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return self._identity is not None and start_time(self._identity[0]) == self._identity[1]

    def check(self) -> None:
        """Raise DaemonDied, with the end of its log, if it does not run."""
        if not self.is_alive():
            code = self._process.returncode if self._process else None
            raise DaemonDied(f"{self.name} ended ({code}); {self.log}:\n{self.tail()}")

    def tail(self, lines: int = 25) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def terminate(self) -> None:
        """Ask it to end and return at once."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGTERM)

    def wait_exit(self, seconds: float) -> int | None:
        """Its exit status (negative: the signal; None: not a child of ours); raises WaitTimeout."""

        def probe() -> None:
            if self.is_alive():
                raise waiting.NotYet("it runs")

        waiting.until(f"{self.name} ended", probe, seconds, 0.02)
        return self._process.returncode if self._process else None

    def kill(self) -> None:
        """SIGKILL to the whole group, as a power cut would end it."""
        if self._identity is None:
            return
        if self._process is not None or self.is_alive():
            _kill_group(self.pid)
        self.wait_exit(10)

    def stop(self) -> None:
        """TERM, then KILL after the grace; what is left of its process group is killed too."""
        if self._identity is None:
            return
        self.terminate()
        try:
            self.wait_exit(self.grace_seconds)
        except waiting.WaitTimeout:
            pass
        self.kill()
        if self.record is not None:
            self.record.unlink(missing_ok=True)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_recorded(directory: Path) -> list[str]:
    """Kill what an earlier run recorded in ``directory`` and did not end; returns the names."""
    killed = []
    for record in sorted(directory.glob("*.pid")):
        pid, started = json.loads(record.read_text())
        if start_time(pid) == started:
            _kill_group(pid)
            killed.append(record.stem)
        record.unlink()
    return killed


def run(
    name: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None, seconds: float = 300
) -> None:
    """Run one command to its end; raises DaemonDied with the end of its output if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"=== {' '.join(argv)}\n".encode())
        output.flush()
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**clean_environment(), **(env or {})},
            timeout=seconds,
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise DaemonDied(f"{name} failed ({done.returncode}); {log}:\n{tail}")
