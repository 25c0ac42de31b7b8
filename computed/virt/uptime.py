"""How long this machine has been up, in the words of uptime(1)."""

from __future__ import annotations

import os
import time
from pathlib import Path


def read() -> str:
    """One line such as ` 10:15:01 up 3 days,  2:10,  0 users,  load average: 0.10, 0.20, 0.30`."""
    up_seconds = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return line(time.strftime("%H:%M:%S"), int(up_seconds), os.getloadavg())


def line(clock: str, up_seconds: int, load: tuple[float, float, float]) -> str:
    """The line for a machine that has been up so long and is so busy. We count no login sessions."""
    days, rest = divmod(up_seconds, 86400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    whole_days = f"{days} day{'s' if days > 1 else ''}, " if days else ""
    part = f"{hours:2d}:{minutes:02d}" if hours else f"{minutes} min"
    loads = ", ".join(f"{value:.2f}" for value in load)
    return f" {clock} up {whole_days}{part},  0 users,  load average: {loads}\n"
