"""RabbitMQ with a node name, port mapper and directory of its own, beside any other broker of the machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import amqp  # type: ignore[import-untyped]

from tests.integration.plane import waiting
from tests.integration.plane.processes import Daemon
from tests.integration.plane.settings import ADDRESS, Settings, clean_environment

# The program itself: Debian's wrapper in /usr/sbin insists on the system's user and files.
_BIN = Path("/usr/lib/rabbitmq/bin")


def environment(s: Settings) -> dict[str, str]:
    """Environment of the server and of rabbitmqctl."""
    base = s.root / "rabbit"
    loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
    return {
        "HOME": str(base / "home"),
        "RABBITMQ_NODENAME": f"plane{s.ports.rabbit}@localhost",
        "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_MNESIA_BASE": str(base / "mnesia"),
        "RABBITMQ_LOG_BASE": str(base / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(base / "pid"),
        "RABBITMQ_NODE_IP_ADDRESS": ADDRESS,
        "RABBITMQ_NODE_PORT": str(s.ports.rabbit),
        "RABBITMQ_DIST_PORT": str(s.ports.erlang),
        "RABBITMQ_CTL_ERL_ARGS": loopback,
        # Two schedulers that sleep when idle: Erlang's busy waiting would take the cores from the services.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{loopback} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        "ERL_EPMD_ADDRESS": ADDRESS,
        "ERL_EPMD_PORT": str(s.ports.epmd),
    }


def write_files(s: Settings) -> None:
    base = s.root / "rabbit"
    for name in ("mnesia", "log", "home"):
        (base / name).mkdir(parents=True, exist_ok=True)
    (base / "home").chmod(0o700)
    (base / "enabled_plugins").write_text("[].\n")
    (base / "rabbitmq.conf").write_text(
        "\n".join(
            [
                f"listeners.tcp.1 = {ADDRESS}:{s.ports.rabbit}",
                "default_vhost = plane",
                "default_user = plane",
                f"default_pass = {s.password}",
                "default_permissions.configure = .*",
                "default_permissions.read = .*",
                "default_permissions.write = .*",
                "default_user_tags.administrator = true",
                "loopback_users = none",
                "vm_memory_high_watermark.relative = 0.3",
                "disk_free_limit.absolute = 50MB",
                "log.file = false",
                "log.console = true",
                "log.console.level = warning",
                "",
            ]
        )
    )


def server_command() -> list[str]:
    return [str(_BIN / "rabbitmq-server")]


def port_mapper_command(s: Settings) -> list[str]:
    return ["/usr/bin/epmd", "-address", ADDRESS, "-port", str(s.ports.epmd)]


def ctl(s: Settings, *arguments: str) -> str:
    """rabbitmqctl, against this broker only; returns what it printed."""
    done = subprocess.run(
        [str(_BIN / "rabbitmqctl"), "-q", *arguments],
        env={**clean_environment(), **environment(s)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        raise AssertionError(f"rabbitmqctl {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done.stdout


def connect(s: Settings) -> amqp.Connection:
    connection = amqp.Connection(
        f"{ADDRESS}:{s.ports.rabbit}",
        userid="plane",
        password=s.password,
        virtual_host="plane",
        connect_timeout=5,
        read_timeout=10,
    )
    connection.connect()
    return connection


def wait_ready(s: Settings, daemon: Daemon) -> None:
    """Until the broker lets a client in."""

    def probe() -> None:
        daemon.check()
        try:
            connect(s).close()
        except (OSError, amqp.exceptions.AMQPError) as error:
            raise waiting.NotYet(error) from None

    waiting.until("RabbitMQ", probe, 90)


def wait_consumers(s: Settings, *queues: str, seconds: float = 90) -> None:
    """Until each queue has a consumer: who calls a server before that waits for a reply that never comes."""

    def probe() -> None:
        try:
            with connect(s) as connection:
                for name in queues:
                    if not connection.channel().queue_declare(name, passive=True).consumer_count:
                        raise waiting.NotYet(f"{name}: no consumer")
        except amqp.exceptions.NotFound as error:
            raise waiting.NotYet(error.reply_text) from None
        except (OSError, amqp.exceptions.AMQPError) as error:
            raise waiting.NotYet(error) from None

    waiting.until("consumers of " + ", ".join(queues), probe, seconds)
