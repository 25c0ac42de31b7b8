"""The firmware that this host has for guests: QEMU's descriptors, read from their directories."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from computed.virt.libvirt.design.host_facts import Firmware

LOG = logging.getLogger(__name__)

DIRECTORIES: Final = (Path("/usr/share/qemu/firmware"), Path("/etc/qemu/firmware"))
"""Later ones go before earlier ones: a file of the same name takes the other's place, an empty one masks it
(docs/interop/firmware.json of QEMU)."""


def read(directories: Sequence[Path] = DIRECTORIES) -> tuple[Firmware, ...]:
    """All descriptors, in the order of their file names; one that cannot be read is left out."""
    found: dict[str, Path] = {}
    for directory in directories:
        if directory.is_dir():
            found.update((path.name, path) for path in directory.glob("*.json"))
    return tuple(firmware for _, path in sorted(found.items()) for firmware in _of(path))


def _of(path: Path) -> Iterator[Firmware]:
    try:
        text = path.read_text(encoding="utf-8")
        if text.strip():
            yield parse(json.loads(text))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        LOG.warning("Firmware descriptor %s is not used: %r", path, error)


def parse(descriptor: Any) -> Firmware:
    """One descriptor; raises KeyError, TypeError, AttributeError for what is none."""
    mapping = descriptor["mapping"]
    executable = mapping.get("executable") or {}
    nvram = mapping.get("nvram-template") or {}
    return Firmware(
        executable=executable.get("filename") or mapping["filename"],
        nvram_template=nvram.get("filename"),
        executable_format=executable.get("format", "raw"),
        nvram_format=nvram.get("format", "raw"),
        interface_types=frozenset(descriptor["interface-types"]),
        targets=tuple(
            (target["architecture"], machine)
            for target in descriptor["targets"]
            for machine in target["machines"]
        ),
        features=frozenset(descriptor["features"]),
        is_stateless=mapping.get("mode") == "stateless" or not nvram,
    )
