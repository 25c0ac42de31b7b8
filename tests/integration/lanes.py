"""Runs the integration tests in two lanes at once: those in a control plane, and those without any.

python -m tests.integration.lanes [arguments of pytest]

Servers and guests are waited for most of the time, so two lanes end sooner than one. What a lane says is
shown when it has ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

WITH_PLANE: Final = "plane"
ALONE: Final = "alone"
LANES: Final = (WITH_PLANE, ALONE)

NOTHING_COLLECTED: Final = 5


def lane_of(item: Any) -> str:
    """The lane of a collected test."""
    return WITH_PLANE if "plane" in item.fixturenames else ALONE


def main(arguments: list[str]) -> int:
    """pytest once for each lane; the worst of their exit codes."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    if not any(Path(argument.partition("::")[0]).exists() for argument in arguments):
        command.append("tests/integration")
    codes: set[int] = set()
    with ExitStack() as stack:
        lanes = []
        for lane in LANES:
            output = stack.enter_context(tempfile.TemporaryFile())
            process = subprocess.Popen([*command, "--lane", lane], stdout=output, stderr=subprocess.STDOUT)
            lanes.append((lane, process, output))
        try:
            codes.update(process.wait() for _, process, _ in lanes)
        finally:
            # Also when somebody ends us, who will want to know how far they came.
            for lane, _, output in lanes:
                print(f"--- lane: {lane}", flush=True)
                output.seek(0)
                sys.stdout.buffer.write(output.read())
                sys.stdout.flush()
    return max(codes - {NOTHING_COLLECTED} or codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
