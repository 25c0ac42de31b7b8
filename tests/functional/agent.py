"""One agent in this process, on the cloud that a test has made around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_log import log
from oslo_messaging.notify.notifier import _notifier_opts
from oslo_messaging.rpc.client import _client_opts

from computed.clients.serializer import WireSerializer
from computed.cmd import wiring
from computed.conf import register_all
from computed.context import get_admin_context
from computed.embedded.cloud import OneHostCloud
from computed.periodic.table import TASKS
from computed.service import Parts, Service

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost


class Agent:
    """One compute: its options, its parts, its life. All agents of a cloud share conductor, placement,
    network, volumes and bus; each has its own driver, ledger, state directory and RPC servers."""

    def __init__(self, embedded: OneHostCloud, conf: cfg.ConfigOpts, executor: str) -> None:
        self.embedded = embedded
        self.conf = conf
        self.name: str = conf.host
        self._executor = executor
        self.service: Service | None = None

    def start(self, **overrides: Any) -> Service:
        """Start on what the last one left; `overrides` as for wiring.build_host."""
        self._transport = self.embedded.make_transport(self.conf)
        serializer = WireSerializer()
        parts = {**self.embedded.overrides(self.conf), **overrides}
        self.host: ComputeHost = wiring.build_host(self.conf, self._transport, serializer, **parts)
        self.parts: Parts = wiring.build_parts(self.host, self._transport, serializer, self._executor)
        self.service = Service(self.parts)
        self.service.start()
        return self.service

    def stop(self) -> bool:
        """Stop as SIGTERM would; True when everything in flight had finished."""
        assert self.service is not None
        service, self.service = self.service, None
        return service.stop()

    def kill(self) -> None:
        """Die as by kill -9, as far as others can tell by the bus: no message comes or goes any more.

        Objects reach the conductor by one way for the whole process: see Cloud.kill_agent.
        """
        assert self.service is not None
        self.embedded.bus.disconnect(self._transport)  # type: ignore[union-attr]
        self.parts.runner.stop()
        self.host.stop_waiting()
        self.parts.servers.stop_primary()
        self.parts.servers.stop_alternate()
        self.service = None

    def run_periodic(self, name: str) -> None:
        """Run one periodic task now, in this thread."""
        task = next(task for task in TASKS if task.name == name)
        task.run(self.host, get_admin_context())

    def wait_idle(self, seconds: float) -> None:
        """Wait until everything that it has received or begun by itself is finished."""
        assert self.host.lanes.wait_idle(seconds), f"{self.name}: work on an instance does not end"
        assert self.parts.manager.inflight.wait_idle(seconds), self.parts.manager.inflight.counts()
        assert self.host.departures.wait_idle(seconds), f"{self.name}: a live migration does not end"

    @property
    def is_busy(self) -> bool:
        """Whether a message is being worked on."""
        return bool(self.parts.manager.inflight.counts()) or bool(self.host.departures)


def make_conf(directory: Path, patience_seconds: float, options: dict[str, Any]) -> cfg.ConfigOpts:
    """Options of one agent alone: nothing of them shows in those of another, nor in the process-wide ones."""
    conf = cfg.ConfigOpts()
    register_all(conf)
    log.register_options(conf)
    conf([], project="nova", prog="computed", default_config_files=[], default_config_dirs=[])
    values = {
        "alone.state_dir": str(directory),
        "alone.network": "bridge",
        "alone.bridge": "br-test",
        # Tests run periodic tasks and count: nothing may happen by itself.
        "periodic_enable": False,
        "report_interval": 0,
        # So the record of a service is as old as the template that it is from.
        "service_down_time": 86400,
        # Nobody plugs anything here: tests that want the event send it themselves.
        "compute.live_migration_wait_for_vif_plug": False,
        "rpc_response_timeout": int(patience_seconds),
        **options,
    }
    conf.register_opts(_client_opts)
    conf.register_opts(_notifier_opts, group="oslo_messaging_notifications")
    for name, value in values.items():
        group, _, option = name.rpartition(".")
        conf.set_override(option, value, group=group or None)
    return conf
