"""oslo.config files as nested mappings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

Value = str | int | float | bool | Path
Ini = Mapping[str, Mapping[str, Value]]


def merge(*parts: Ini) -> dict[str, dict[str, Value]]:
    """One file out of several; a later part wins."""
    whole: dict[str, dict[str, Value]] = {}
    for part in parts:
        for section, options in part.items():
            whole.setdefault(section, {}).update(options)
    return whole


def write(path: Path, *parts: Ini) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for section, options in merge(*parts).items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {value}" for name, value in options.items()]
        lines.append("")
    path.write_text("\n".join(lines))
    return path
