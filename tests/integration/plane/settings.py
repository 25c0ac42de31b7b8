"""Where one control plane lives and listens: directories, ports, passwords, addresses."""

from __future__ import annotations

import json
import os
import random
import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path

ADDRESS = "127.0.0.1"
REGION = "RegionOne"
DATABASES = ("keystone", "glance", "placement", "neutron", "nova_api", "nova_cell0", "nova_cell1", "cinder")
SERVICE_USERS = ("nova", "placement", "glance", "neutron", "cinder")

# Below Linux's ephemeral range, so that no outgoing connection takes a port between the choice and its use.
_PORT_RANGE = range(20000, 32000)


@dataclass(frozen=True)
class Ports:
    """TCP ports on loopback."""

    mysql: int
    rabbit: int
    erlang: int
    epmd: int
    keystone: int
    glance: int
    placement: int
    neutron: int
    nova: int
    cinder: int

    @classmethod
    def free(cls) -> Ports:
        """Choose ports nobody listens on, so that several planes fit on one machine."""
        chosen: list[int] = []
        candidates = random.sample(_PORT_RANGE, 500)
        while len(chosen) < len(fields(cls)):
            port = candidates.pop()
            with socket.socket() as probe:
                try:
                    probe.bind((ADDRESS, port))
                except OSError:
                    continue
            chosen.append(port)
        return cls(*chosen)


@dataclass(frozen=True)
class Settings:
    """One control plane.  ``root`` holds everything it writes except the cache."""

    root: Path
    cache: Path
    ports: Ports
    password: str = "integration"
    rpc_response_timeout_seconds: int = 20

    @property
    def venv(self) -> Path:
        return self.cache / "venv"

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def l2_hosts(self) -> Path:
        """The file that names the hosts the fake L2 agent speaks for; see l2agent.py."""
        return self.run / "l2_hosts"

    @property
    def guest_prefix(self) -> str:
        """How the names of this plane's guests begin at the hypervisor."""
        return f"plane{self.ports.nova}-"

    def bin(self, name: str) -> str:
        """A program of the control plane's own virtual environment."""
        return str(self.venv / "bin" / name)

    def url(self, service: str, path: str = "") -> str:
        return f"http://{ADDRESS}:{getattr(self.ports, service)}{path}"

    @property
    def auth_url(self) -> str:
        return self.url("keystone", "/v3")

    @property
    def amqp(self) -> str:
        return f"plane:{self.password}@{ADDRESS}:{self.ports.rabbit}/plane"

    @property
    def transport_url(self) -> str:
        return f"rabbit://{self.amqp}"

    def database_url(self, name: str) -> str:
        return f"mysql+pymysql://plane:{self.password}@{ADDRESS}:{self.ports.mysql}/{name}?charset=utf8"

    def save(self) -> None:
        data = {
            "cache": str(self.cache),
            "ports": asdict(self.ports),
            "password": self.password,
            "rpc_response_timeout_seconds": self.rpc_response_timeout_seconds,
        }
        (self.root / "settings.json").write_text(json.dumps(data, indent=1))

    @classmethod
    def load(cls, root: Path) -> Settings:
        data = json.loads((root / "settings.json").read_text())
        return cls(
            root,
            Path(data["cache"]),
            Ports(**data["ports"]),
            data["password"],
            data["rpc_response_timeout_seconds"],
        )


def clean_environment() -> dict[str, str]:
    """The environment of every daemon: no proxy and no credential of the person who runs the tests."""
    keep = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OS_", "PYTEST_", "COV_")) and not name.lower().endswith("_proxy")
    }
    keep.pop("PYTHONPATH", None)
    keep.pop("VIRTUAL_ENV", None)
    keep.pop("PYTHONDONTWRITEBYTECODE", None)
    keep.update(no_proxy="*", PYTHONWARNINGS="ignore", LANG="C.UTF-8")
    return keep
