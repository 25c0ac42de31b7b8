"""ISO 9660 images of a directory, by genisoimage or a program that takes its options."""

from __future__ import annotations

from pathlib import Path

from computed.virt.libvirt.config_drive.programs import run


def make(directory: Path, target: Path, label: str, *, program: str, publisher: str) -> None:
    """Write an image with Joliet and Rock Ridge names. Raises ConfigDriveMountFailed."""
    # Names longer than those of ISO 9660, in small letters and with more than one dot: guests look for them.
    names = ("-ldots", "-allow-lowercase", "-allow-multidot", "-l", "-J", "-r")
    about = ("-quiet", "-publisher", publisher, "-V", label)
    run(program, *names, *about, "-o", str(target), str(directory))
