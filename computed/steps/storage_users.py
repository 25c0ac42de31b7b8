"""Which hosts keep their instances on the same storage as this one: a file on it, in which each signs.

Contract: host_files.json, registry; stock agents sign in the same file under the same lock.
"""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Final

from oslo_concurrency import lockutils

LOG = logging.getLogger(__name__)

_REGISTRY: Final = "compute_nodes"
_LOCK: Final = "storage-registry-lock"
_ALIVE_SECONDS: Final = 24 * 3600


def sign(instances_path: Path, host_name: str) -> list[str]:
    """Sign as `host_name` and return every host that has signed within a day, this one among them.

    A registry that cannot be written, or read, is logged: then only this host is known.
    """
    try:
        locks = instances_path / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with lockutils.external_lock(_LOCK, lock_file_prefix="nova-", lock_path=str(locks)):
            return _sign(instances_path / _REGISTRY, host_name, time.time())
    except OSError as error:
        LOG.warning("Who else uses %s is not known: %s", instances_path, error)
        return [host_name]


def _sign(registry: Path, host_name: str, now: float) -> list[str]:
    signed = _read(registry)
    signed[host_name] = now
    beside = registry.with_suffix(".new")
    beside.write_text(json.dumps(signed), encoding="utf-8")
    os.replace(beside, registry)
    return [name for name, moment in signed.items() if now - moment < _ALIVE_SECONDS]


def _read(registry: Path) -> dict[str, float]:
    try:
        signed = json.loads(registry.read_text(encoding="utf-8"))
        return {str(name): float(moment) for name, moment in signed.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        LOG.warning("%s is begun anew, for it cannot be understood: %s", registry, error)
        return {}
