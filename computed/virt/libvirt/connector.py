"""What the block storage service must know of this host before it lets a volume out to it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from oslo_config import cfg

_INITIATOR: Final = Path("/etc/iscsi/initiatorname.iscsi")
_NVME_HOST: Final = Path("/etc/nvme/hostnqn")
_SYSTEM_UUID: Final = Path("/sys/class/dmi/id/product_uuid")
_FC_PORTS: Final = Path("/sys/class/fc_host")


def read(conf: cfg.ConfigOpts, root: Path = Path("/")) -> dict[str, Any]:
    """The connector, under os-brick's names. A file that this user may not read says nothing."""
    found: dict[str, Any] = {
        "platform": platform.machine(),
        "os_type": sys.platform,
        "ip": conf.my_block_storage_ip,
        "host": conf.host,
        "multipath": conf.libvirt.volume_use_multipath,
        "enforce_multipath": True,
        "do_local_attach": False,
    }
    known = {
        "initiator": _initiator(_text(root, _INITIATOR)),
        "nqn": _text(root, _NVME_HOST).strip(),
        "system uuid": _text(root, _SYSTEM_UUID).strip(),
        "wwpns": _ports(root, "port_name"),
        "wwnns": _ports(root, "node_name"),
    }
    return found | {name: value for name, value in known.items() if value}


def _initiator(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line.partition("=")[2].strip() for line in lines if line.startswith("InitiatorName=")), "")


def _ports(root: Path, name: str) -> list[str]:
    ports = sorted((root / _FC_PORTS.relative_to("/")).glob("host*"))
    texts = (_text(root, Path("/") / port.relative_to(root) / name).strip() for port in ports)
    return [text.removeprefix("0x") for text in texts if text]


def _text(root: Path, path: Path) -> str:
    try:
        return (root / path.relative_to("/")).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
