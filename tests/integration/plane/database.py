"""MariaDB on a private directory and port, with the schemas of all services.

Filling the schemas takes a minute of CPU, so the directory of a server that has them (and was stopped
cleanly) is kept in the cache and copied for each plane.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.integration.plane import waiting
from tests.integration.plane.install import locked, say
from tests.integration.plane.processes import Daemon, run
from tests.integration.plane.settings import ADDRESS, DATABASES, Settings

_SERVER = "/usr/sbin/mariadbd"
# Nothing here is worth surviving a power cut.
_TUNING = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--sync-binlog=0",
    "--skip-log-bin",
    "--innodb-buffer-pool-size=256M",
    "--innodb-log-file-size=48M",
    "--max-connections=1000",
    "--character-set-server=utf8mb3",
    "--collation-server=utf8mb3_general_ci",
)
# Addresses differ from plane to plane: nova fills these in from its own configuration.
_CELL_DATABASE = "{scheme}://{username}:{password}@{hostname}:{port}/%s?{query}"
_CELL_BROKER = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"


class Database:
    """The server; ``prepare`` before ``daemon.start``, ``wait_ready`` after."""

    def __init__(self, settings: Settings, daemon: Daemon) -> None:
        self._settings = settings
        self._directory = data_directory(settings)
        self.daemon = daemon

    def prepare(self) -> None:
        """Lay the data directory: the cached one if there is one, else a fresh one with all schemas."""
        template = self._template()
        with locked(self._settings.cache):
            if not template.exists():
                self._create(template)
        if not self._directory.exists():
            _copy(template, self._directory)

    def wait_ready(self) -> None:
        def probe() -> None:
            self.daemon.check()
            if self._client("SELECT 1").returncode:
                raise waiting.NotYet("no answer")

        waiting.until("MariaDB", probe, 60, 0.1)

    def _client(self, statement: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={socket_path(self._settings)}", "-uroot"],
            input=statement.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )

    def _template(self) -> Path:
        version = subprocess.run([_SERVER, "--version"], capture_output=True, check=True, timeout=30).stdout
        key = hashlib.sha256(version + " ".join(_TUNING).encode() + Path(__file__).read_bytes()).hexdigest()[
            :12
        ]
        return self._settings.cache / f"mysql-{key}"

    def _create(self, template: Path) -> None:
        say("creating schemas (once)")
        s = self._settings
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        user = _own(self._directory)
        run(
            "mariadb-install-db",
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self._directory}",
                f"--user={user}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            s.log / "mysql-install.log",
        )
        self.daemon.start()
        self.wait_ready()
        grants = "".join(
            f"CREATE DATABASE {name} CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci;"
            f"GRANT ALL ON {name}.* TO plane@'{ADDRESS}' IDENTIFIED BY '{s.password}';"
            f"GRANT ALL ON {name}.* TO plane@localhost IDENTIFIED BY '{s.password}';"
            for name in DATABASES
        )
        answer = self._client(grants)
        assert answer.returncode == 0, answer.stdout.decode()
        self._sync()
        self.daemon.grace_seconds = 60
        self.daemon.stop()
        partial = template.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _copy(self._directory, partial)
        partial.rename(template)

    def _sync(self) -> None:
        s = self._settings
        nova = [s.bin("nova-manage"), "--config-file", str(s.etc / "nova/nova.conf")]
        neutron = [
            s.bin("neutron-db-manage"),
            "--config-file",
            str(s.etc / "neutron/neutron.conf"),
            "--config-file",
            str(s.etc / "neutron/ml2_conf.ini"),
        ]
        steps = [
            # The cell mappings are rows of nova_api, so these four come in this order.
            [
                [*nova, "api_db", "sync"],
                [*nova, "cell_v2", "map_cell0", "--database_connection", _CELL_DATABASE % "nova_cell0"],
                [*nova, "db", "sync"],
                [
                    *nova,
                    "cell_v2",
                    "create_cell",
                    "--name",
                    "cell1",
                    "--transport-url",
                    _CELL_BROKER,
                    "--database_connection",
                    _CELL_DATABASE % "nova_cell1",
                ],
            ],
            [[s.bin("keystone-manage"), "--config-file", str(s.etc / "keystone/keystone.conf"), "db_sync"]],
            [[*neutron, "upgrade", "heads"]],
            [[s.bin("glance-manage"), "--config-file", str(s.etc / "glance/glance-api.conf"), "db_sync"]],
            [
                [
                    s.bin("placement-manage"),
                    "--config-file",
                    str(s.etc / "placement/placement.conf"),
                    "db",
                    "sync",
                ]
            ],
            [[s.bin("cinder-manage"), "--config-file", str(s.etc / "cinder/cinder.conf"), "db", "sync"]],
        ]

        def lane(commands: list[list[str]]) -> None:
            for argv in commands:
                run(
                    " ".join([Path(argv[0]).name, *argv[3:]]),
                    argv,
                    s.log / "schemas.log",
                )

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lane, steps))


def data_directory(settings: Settings) -> Path:
    return settings.root / "mysql"


def socket_path(settings: Settings) -> Path:
    return settings.root / "run" / "mysql.sock"


def command(settings: Settings) -> list[str]:
    """The server's command line."""
    directory = data_directory(settings)
    user = ["--user=mysql"] if os.geteuid() == 0 else []
    return [
        _SERVER,
        "--no-defaults",
        *user,
        f"--datadir={directory}",
        f"--socket={socket_path(settings)}",
        f"--pid-file={directory}/mariadbd.pid",
        f"--bind-address={ADDRESS}",
        f"--port={settings.ports.mysql}",
        "--skip-name-resolve",
        f"--tmpdir={directory}",
        *_TUNING,
    ]


def _own(directory: Path) -> str:
    """MariaDB refuses to run as root: its own user gets the directory."""
    if os.geteuid():
        import getpass

        return getpass.getuser()
    shutil.chown(directory, "mysql", "mysql")
    return "mysql"


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True, timeout=120)
