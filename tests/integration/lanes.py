"""Runs the integration tests in two lanes at once: those in a control plane, and those without any.

python -m tests.integration.lanes [arguments of pytest]

Servers and guests are waited for most of the time, so two lanes end sooner than one. What they say
is shown when both have ended.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from tests.at_once import run_at_once

WITH_PLANE: Final = "plane"
ALONE: Final = "alone"
LANES: Final = (WITH_PLANE, ALONE)


def lane_of(item: Any) -> str:
    """The lane of a collected test."""
    return WITH_PLANE if "plane" in item.fixturenames else ALONE


def main(arguments: list[str]) -> int:
    """pytest once for each lane; the worst of their exit codes."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    if not any(Path(argument.partition("::")[0]).exists() for argument in arguments):
        command.append("tests/integration")
    return run_at_once([*command, "--lane", lane] for lane in LANES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
