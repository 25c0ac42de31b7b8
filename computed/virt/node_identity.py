"""The file `compute_id`: the uuid by which a host knows its compute node (contract: host_files.json)."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from computed import errors

if TYPE_CHECKING:
    from oslo_config import cfg

FILE_NAME = "compute_id"


def read(conf: cfg.ConfigOpts) -> str | None:
    """The identity written beside a configuration file or in `state_path`; None when there is none.

    Raises InvalidNodeConfiguration when a file holds no uuid or two files differ.
    """
    folders = [Path(name).parent for name in conf.config_file or ()] + [Path(conf.state_path)]
    found: dict[Path, str] = {}
    for path in dict.fromkeys(folder / FILE_NAME for folder in folders):
        if path.exists():
            found[path] = _uuid_in(path)
    if len(set(found.values())) > 1:
        listing = ", ".join(f"{path}: {value}" for path, value in found.items())
        raise errors.InvalidNodeConfiguration(reason=f"identity files differ ({listing})")
    return next(iter(found.values()), None)


def write(conf: cfg.ConfigOpts, node_uuid: str) -> Path:
    """Write a new identity file into `state_path`; it must not exist yet.

    Raises InvalidNodeConfiguration when the file is there already or cannot be written.
    """
    path = Path(conf.state_path) / FILE_NAME
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(str(uuid.UUID(node_uuid)))
    except FileExistsError:
        raise errors.InvalidNodeConfiguration(reason=f"{path} has appeared meanwhile") from None
    except OSError as exc:
        raise errors.InvalidNodeConfiguration(reason=f"{path} cannot be written: {exc}") from exc
    return path


def _uuid_in(path: Path) -> str:
    try:
        return str(uuid.UUID(path.read_text(encoding="ascii").strip()))
    except (OSError, ValueError) as exc:
        raise errors.InvalidNodeConfiguration(reason=f"{path} holds no uuid: {exc}") from exc
