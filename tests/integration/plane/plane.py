"""The control plane as a whole: up, down, and its daemons by name."""

from __future__ import annotations

import base64
import os
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.integration.plane import broker, configs, database, install, provision, waiting
from tests.integration.plane.processes import Daemon, Reaper, kill_recorded, run
from tests.integration.plane.settings import REGION, Ports, Settings

_HERE = Path(__file__).parent
_CINDER = ("cinder", "cinder-scheduler", "cinder-volume")
#: about what it takes to plug a tap device
_PLUG_SECONDS = 0.2
#: where the control plane's own services wait for calls
_QUEUES = {
    "neutron-rpc": ("q-plugin", "q-reports-plugin"),
    "nova-conductor": ("conductor",),
    "nova-scheduler": ("scheduler",),
    "cinder-scheduler": ("cinder-scheduler",),
}
#: far more than a start takes
_STILL_SECONDS = 60
_L2_AGENT_QUEUE = "neutron-vo-Port-1.11.l2agent"


class Plane:
    """A running control plane.  ``up``, then use ``settings``; ``down`` ends all of it."""

    def __init__(self, settings: Settings, reaper: Reaper | None = None) -> None:
        self.settings = settings
        self._reaper = reaper
        self.daemons: dict[str, Daemon] = {}
        self._declare()

    @classmethod
    def create(cls, root: Path | None = None, *, reaped: bool = True) -> Plane:
        """A plane in ``root`` (default: a new directory under $TMPDIR), not started."""
        root = root or Path(tempfile.mkdtemp(prefix="computed-plane-"))
        root.mkdir(parents=True, exist_ok=True)
        # MariaDB runs as a user of its own and must reach its directory.
        root.chmod(0o755)
        settings = Settings(root, install.default_cache(), Ports.free())
        for directory in (settings.etc, settings.log, settings.run):
            directory.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            settings.run.chmod(0o1777)
        settings.save()
        return cls(settings, Reaper() if reaped else None)

    @classmethod
    def attach(cls, root: Path) -> Plane:
        """The plane that runs in ``root``; what is declared from here on ends with this process."""
        plane = cls(Settings.load(root))
        for daemon in plane.daemons.values():
            daemon.adopt()
            daemon.check()
        plane._reaper = Reaper()
        return plane

    def detach(self) -> None:
        """Leave the control plane running; end what was declared after ``attach``."""
        for daemon in self.daemons.values():
            if daemon.reaper is not None:
                daemon.stop()
        if self._reaper is not None:
            self._reaper.close()

    def daemon(self, name: str, argv: list[str], env: Mapping[str, str] | None = None) -> Daemon:
        """Declare a program that ends with this plane, at the latest."""
        made = Daemon(
            name,
            argv,
            self.settings.log / f"{name}.log",
            env or {},
            self._reaper,
            self.settings.run / f"{name}.pid",
        )
        self.daemons[name] = made
        return made

    def up(self) -> None:
        """Install what is missing, start everything, fill it.  Raises when a step fails or takes too long."""
        began, s = time.monotonic(), self.settings
        install.ensure_programs(s.log / "install.log")
        with install.locked(s.cache):
            install.ensure_venv(s.cache, s.log / "install.log")
        configs.write_all(s)
        broker.write_files(s)
        for name in ("epmd", "rabbit"):
            self.daemons[name].start()
        self.database.prepare()
        self.daemons["mysql"].start()
        self.database.wait_ready()
        self._bootstrap_keystone()
        for name in ("keystone", "neutron", "placement", "glance"):
            self.daemons[name].start()
        self.wait_http("keystone", "/v3")
        provision.identity(s)
        # These ask keystone, placement or neutron when they start.
        broker.wait_ready(s, self.daemons["rabbit"])
        for name in ("nova-conductor", "nova-scheduler", "nova", "neutron-rpc", *_CINDER):
            self.daemons[name].start()
        for service in ("glance", "neutron", "placement", "nova", "cinder"):
            self.wait_http(service, "/")
        self.wait_served("neutron-rpc")
        self.daemons["l2agent"].start()
        # The last of its servers, each of which declares its fan-out queue last.
        broker.wait_consumers(s, _L2_AGENT_QUEUE)
        # Neutron looks once a minute which versioned objects agents want to hear of; the first look is soon.
        provision.wait_l2_agents(s)
        provision.resources(s)
        self.wait_served(*_QUEUES)
        provision.wait_volume_backends(s, configs.VOLUME_BACKENDS)
        install.say(f"up after {time.monotonic() - began:.0f} s in {s.root}")

    def start_broker(self) -> None:
        """After a stop of the broker alone: until all services are back at their queues."""
        self.daemons["rabbit"].start()
        broker.wait_ready(self.settings, self.daemons["rabbit"])
        broker.wait_consumers(self.settings, *(queue for queues in _QUEUES.values() for queue in queues))

    def wait_served(self, *names: str) -> None:
        """Until these daemons, which were started just now, wait for calls.

        Stock forks its workers from processes that have threads already, and of many starts one leaves a
        worker that stands still (seen of nova-conductor). Such a daemon is started anew, once.
        """
        for name in names:
            try:
                broker.wait_consumers(self.settings, *_QUEUES[name], seconds=_STILL_SECONDS)
            except waiting.WaitTimeout as late:
                daemon = self.daemons[name]
                daemon.check()
                install.say(f"{name} stands still and is started anew: {late}")
                daemon.stop()
                daemon.start()
                broker.wait_consumers(self.settings, *_QUEUES[name])

    def down(self, *, keep_logs: bool) -> None:
        """End everything, agents first; the directory goes too, unless the logs are wanted."""
        for daemon in self.daemons.values():
            if daemon.name not in ("mysql", "rabbit", "epmd"):
                daemon.terminate()
        for daemon in reversed(list(self.daemons.values())):
            daemon.stop()
        if self._reaper is not None:
            self._reaper.close()
        kill_recorded(self.settings.run)
        if keep_logs:
            for name in ("mysql", "rabbit", "glance"):
                shutil.rmtree(self.settings.root / name, ignore_errors=True)
            install.say("logs and configuration files are in", self.settings.root)
        else:
            shutil.rmtree(self.settings.root, ignore_errors=True)

    def wait_http(self, service: str, path: str) -> None:
        """Until the service answers below 500 (401 is an answer)."""

        def probe() -> None:
            self.daemons[service].check()
            try:
                with urllib.request.urlopen(self.settings.url(service, path), timeout=20):
                    return
            except urllib.error.HTTPError as error:
                if error.code >= 500:
                    raise waiting.NotYet(error) from None
            except OSError as error:
                raise waiting.NotYet(error) from None

        waiting.until(service, probe, 180)

    def _declare(self) -> None:
        s = self.settings
        self.daemon("epmd", broker.port_mapper_command(s))
        self.daemon("rabbit", broker.server_command(), broker.environment(s)).grace_seconds = 20
        self.database = database.Database(s, self.daemon("mysql", database.command(s)))
        for service, module, threads, env in self._wsgi():
            self._serve(service, module, threads, env)
        cinder = ["--config-file", str(s.etc / "cinder/cinder.conf")]
        self._serve("cinder", "cinder.wsgi.api", 4, {"OS_CINDER_DISABLE_EVENTLET_PATCHING": "true"}, cinder)
        for name in _CINDER[1:]:
            # Its volume driver is one of ours.
            self.daemon(name, [s.bin(name), *cinder], {"PYTHONPATH": str(_HERE / "cinder_path")})
        nova, neutron = str(s.etc / "nova/nova.conf"), str(s.etc / "neutron/neutron.conf")
        self.daemon(
            "neutron-rpc",
            [
                s.bin("neutron-rpc-server"),
                "--config-file",
                neutron,
                "--config-file",
                str(s.etc / "neutron/ml2_conf.ini"),
            ],
        )
        for name in ("nova-conductor", "nova-scheduler"):
            self.daemon(name, [s.bin(name), "--config-file", nova])
        if not s.l2_hosts.exists():
            s.l2_hosts.write_text("control\n")
        self.daemon(
            "l2agent",
            [sys.executable, str(_HERE / "l2agent.py"), s.transport_url, str(s.l2_hosts), str(_PLUG_SECONDS)],
        )

    def _serve(
        self, service: str, module: str, threads: int, env: Mapping[str, str], options: Sequence[str] = ()
    ) -> None:
        s = self.settings
        server = [s.bin("python"), str(_HERE / "wsgi_server.py")]
        port = str(getattr(s.ports, service))
        self.daemon(service, [*server, service, module, port, str(threads), *options], env)

    def _wsgi(self) -> list[tuple[str, str, int, dict[str, str]]]:
        etc = self.settings.etc
        paste = self.settings.venv / "etc/nova/api-paste.ini"
        neutron = f"{etc}/neutron/neutron.conf;{etc}/neutron/ml2_conf.ini"
        return [
            (
                "keystone",
                "keystone.wsgi.api",
                8,
                {"OS_KEYSTONE_CONFIG_FILES": f"{etc}/keystone/keystone.conf"},
            ),
            ("glance", "glance.wsgi.api", 4, {"OS_GLANCE_CONFIG_DIR": f"{etc}/glance"}),
            ("placement", "placement.wsgi.api", 4, {"OS_PLACEMENT_CONFIG_DIR": f"{etc}/placement"}),
            ("neutron", "neutron.wsgi.api", 4, {"OS_NEUTRON_CONFIG_FILES": neutron}),
            (
                "nova",
                "nova.wsgi.osapi_compute",
                8,
                {"OS_NOVA_CONFIG_DIR": f"{etc}/nova", "OS_NOVA_CONFIG_FILES": f"{paste};nova.conf"},
            ),
        ]

    def _bootstrap_keystone(self) -> None:
        s = self.settings
        for name in ("fernet", "credential"):
            keys = s.root / "keystone" / name
            keys.mkdir(parents=True)
            keys.chmod(0o700)
            for number in ("0", "1"):
                (keys / number).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
        run(
            "keystone-manage bootstrap",
            [
                s.bin("keystone-manage"),
                "--config-file",
                str(s.etc / "keystone/keystone.conf"),
                "bootstrap",
                "--bootstrap-password",
                s.password,
                "--bootstrap-username",
                "admin",
                "--bootstrap-project-name",
                "admin",
                "--bootstrap-role-name",
                "admin",
                "--bootstrap-service-name",
                "keystone",
                "--bootstrap-region-id",
                REGION,
            ],
            s.log / "bootstrap.log",
        )
