"""Compute agents on this plane: an operator's nova.conf for each host, and the process that reads it."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.integration.plane import configs, ini
from tests.integration.plane.plane import Plane
from tests.integration.plane.processes import Daemon

COMPUTED, STOCK = "computed", "stock"
#: for a host with a layer 2 agent of its own: the fake one says nothing for it
REAL_NETWORK = -1.0


@dataclass(frozen=True)
class Stopped:
    """How an agent ended: exit status (negative: killed by that signal) and the time it took."""

    status: int | None
    seconds: float


class Agent:
    """A compute host.  The same configuration file serves ``computed`` and stock nova-compute."""

    def __init__(
        self,
        plane: Plane,
        host: str,
        kind: str,
        backend: str,
        options: ini.Ini | None = None,
        plug_seconds: float | None = None,
    ) -> None:
        self.host, self.kind, self.backend = host, kind, backend
        self._plane = plane
        self.state = plane.settings.root / "computes" / host
        self.instances = self.state / "instances"
        self.config = self._write_config(options or {}, plug_seconds)
        self.daemon = self._declare(kind)

    def start(self) -> None:
        self.daemon.start()

    def become(self, kind: str) -> None:
        """From the next start on this host runs the other agent, on the same file."""
        assert not self.daemon.is_alive(), f"{self.host} still runs"
        self.kind, self.daemon = kind, self._declare(kind)

    def stop(self, seconds: float = 30) -> Stopped:
        """SIGTERM, and wait for the end; raises WaitTimeout when it does not come."""
        began = time.monotonic()
        os.kill(self.daemon.pid, signal.SIGTERM)
        status = self.daemon.wait_exit(seconds)
        return Stopped(status, time.monotonic() - began)

    def kill(self) -> None:
        """SIGKILL to it and to everything it started."""
        self.daemon.kill()

    def _declare(self, kind: str) -> Daemon:
        python = [sys.executable, "-m", "computed.cmd.agent"]
        program = python if kind == COMPUTED else [self._plane.settings.bin("nova-compute")]
        name = f"{kind}-{self.host}"
        return self._plane.daemons.get(name) or self._plane.daemon(
            name, [*program, "--config-file", str(self.config)]
        )

    def _write_config(self, options: ini.Ini, plug_seconds: float | None) -> Path:
        s = self._plane.settings
        for directory in (self.instances, self.state / "lock"):
            directory.mkdir(parents=True, exist_ok=True)
        if plug_seconds != REAL_NETWORK:
            with s.l2_hosts.open("a") as hosts:
                hosts.write(f"{self.host} {'' if plug_seconds is None else plug_seconds}\n")
        own: ini.Ini = {
            "DEFAULT": {
                "host": self.host,
                "compute_driver": "fake.FakeDriver",
                "state_path": self.state,
                "instances_path": self.instances,
                "concurrency_backend": self.backend,
                "vif_plugging_timeout": 20,
                "vif_plugging_is_fatal": False,
                "cpu_allocation_ratio": 64.0,
                "ram_allocation_ratio": 16.0,
                "disk_allocation_ratio": 16.0,
                "reserved_host_memory_mb": 0,
                "update_resources_interval": 10,
                "sync_power_state_interval": 10,
                "running_deleted_instance_action": "reap",
            },
            "oslo_concurrency": {"lock_path": self.state / "lock"},
            "vnc": {"enabled": False},
        }
        return ini.write(s.etc / "nova" / f"compute-{self.host}.conf", configs.nova_common(s), own, options)
