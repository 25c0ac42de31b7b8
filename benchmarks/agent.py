"""The agent as a process, running alone: start, memory, boots and stop, on both concurrency backends.

Conductor, scheduler and placement run in the same process here: the agent of a control plane costs less.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import Table, ratio
from computed.embedded.client import CloudClient, CloudUnreachable

BACKENDS = ("eventlet", "threading")
SIZES = (0, 50, 200)
BOOTS = 20
PATIENCE_SECONDS = 120.0
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Agent:
    """A running one, the way to its cloud, and what it has said."""

    process: subprocess.Popen[bytes]
    cloud: CloudClient
    log: Path


def tables() -> Iterable[Table]:
    """Start, memory and stop; then boots on hosts with more and more servers."""
    yield _life()
    for backend in BACKENDS:
        yield _boots(backend)


def _life() -> Table:
    rows: list[list[object]] = []
    base = (0.0, 0.0)
    for backend in BACKENDS:
        began = time.monotonic()
        with agent(backend) as running:
            process = running.process
            served = time.monotonic() - began
            time.sleep(2.0)
            memory = _pss_mib(process.pid)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)
            stopped = time.monotonic() - began
        base = base if rows else (served, memory)
        rows.append([backend, served, ratio(served, base[0]), memory, ratio(memory, base[1]), stopped])
    columns = ["backend", "start to served s", "to first", "idle PSS MiB", "to first", "SIGTERM to exit s"]
    return Table("One process: agent, conductor, scheduler and placement", columns, rows)


def _boots(backend: str) -> Table:
    rows: list[list[object]] = []
    base = (0.0, 0.0)
    with agent(backend) as running:
        process, cloud = running.process, running.cloud
        for size in SIZES:
            _fill(cloud, size)
            seconds, cpu = _boot_and_delete(cloud, process.pid)
            base = base if rows else (seconds, cpu)
            rows.append(
                [size, seconds, ratio(seconds, base[0]), cpu, ratio(cpu, base[1]), _pss_mib(process.pid)]
            )
    columns = ["servers before", "s a boot", "to empty", "CPU s a boot", "to empty", "PSS MiB"]
    return Table(f"Boots one after the other, {backend}", columns, rows)


def _fill(cloud: CloudClient, size: int) -> None:
    for number in range(len(cloud.servers()), size):
        cloud.create(order(f"kept-{number}"))
    until(lambda: all(server["status"] == "ACTIVE" for server in cloud.servers()))


def _boot_and_delete(cloud: CloudClient, pid: int) -> tuple[float, float]:
    """Seconds and CPU seconds of one boot; the servers are deleted outside the measurement."""
    began, cpu = time.monotonic(), _cpu_seconds(pid)
    for number in range(BOOTS):
        name = f"boot-{number}"
        cloud.create(order(name))
        until(lambda name=name: cloud.server(name)["status"] == "ACTIVE")  # type: ignore[misc]
    measured = (time.monotonic() - began) / BOOTS, (_cpu_seconds(pid) - cpu) / BOOTS
    for number in range(BOOTS):
        cloud.delete(f"boot-{number}")
    until(lambda: not any(server["name"].startswith("boot-") for server in cloud.servers()))
    return measured


def order(name: str) -> dict[str, str]:
    """A small server without a network."""
    return {"name": name, "flavor": "m1.nano", "image": "bench", "network": "none"}


def until(is_true: Callable[[], bool]) -> None:
    """Wait for it. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError("the agent did not get there")
        time.sleep(0.01)


@contextmanager
def agent(backend: str, driver: str = "fake.FakeDriver") -> Iterator[Agent]:
    """An agent alone, ended at the end of the block; its image is called `bench`."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        config = _write_config(Path(directory), backend, driver)
        command = [sys.executable, "-W", "ignore", "-m", "computed.cmd.agent", "--config-file", str(config)]
        with (Path(directory) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            cloud = CloudClient(Path(directory) / "computed.sock")
            until(lambda: _answers(cloud, process))
            yield Agent(process, cloud, Path(directory) / "log")
        finally:
            process.kill()
            process.wait()


def _answers(cloud: CloudClient, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the agent ended with {process.returncode}")
    try:
        return bool(cloud.host())
    except CloudUnreachable:
        return False


def _write_config(directory: Path, backend: str, driver: str) -> Path:
    directory.chmod(0o711)  # QEMU may be another user
    (directory / "images").mkdir()
    (directory / "images" / "bench.raw").write_bytes(bytes(1 << 20))
    config = directory / "computed.conf"
    config.write_text(
        f"[DEFAULT]\nhost = bench\ncompute_driver = {driver}\nconcurrency_backend = {backend}\n"
        f"[alone]\nenabled = true\nstate_dir = {directory}\n[libvirt]\nvirt_type = qemu\n"
    )
    return config


def _pss_mib(pid: int) -> float:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
