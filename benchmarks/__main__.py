"""Runs every benchmark, or those named on the command line, and prints their tables."""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    here = Path(__file__).parent
    known = [module.name for module in pkgutil.iter_modules([str(here)]) if not module.name.startswith("_")]
    wrong = sorted(set(names) - set(known))
    if wrong:
        print(f"no such benchmark: {', '.join(wrong)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {_processor()}")
    for name in names or known:
        tables = getattr(importlib.import_module(f"benchmarks.{name}"), "tables", None)
        for table in tables() if tables else ():
            print(f"\n{table}", flush=True)
    return 0


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
