"""Keeps the C library from holding on to memory that nobody uses any more."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from typing import Final

# glibc's malloc.h: option → the name under which an operator may have set it, our value. Each thread that
# calls libvirt or parses XML would have an arena of its own, which does not shrink; one is enough beside the
# interpreter's own allocator. The thresholds are glibc's own first ones, which it raises by itself otherwise.
_OPTIONS: Final[Mapping[int, tuple[str, int]]] = {
    -8: ("MALLOC_ARENA_MAX", 1),
    -1: ("MALLOC_TRIM_THRESHOLD_", 128 << 10),
    -3: ("MALLOC_MMAP_THRESHOLD_", 128 << 10),
}


def be_frugal() -> None:
    """Set what the environment has not; before there are threads. Nothing where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for option, (name, value) in _OPTIONS.items():
        if name not in os.environ:
            mallopt(option, value)
