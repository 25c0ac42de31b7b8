"""Runs the programs that write config drives."""

from __future__ import annotations

from computed import errors
from computed.virt.libvirt.storage import programs


def run(program: str, *arguments: str, **environment: str) -> None:
    """Run one. Raises ConfigDriveMountFailed with its name and what it said."""
    try:
        programs.run(program, *arguments, **environment)
    except errors.ImageToolFailed as error:
        raise errors.ConfigDriveMountFailed(operation=program, error=str(error)) from error
