"""Runs of pytest beside each other, each a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

NOTHING_COLLECTED = 5


def run_at_once(commands: Iterable[Sequence[str]]) -> int:
    """The worst exit code of them; what each says is shown when all have ended, or when somebody ends us."""
    codes = set()
    with ExitStack() as stack:
        runs = []
        for command in commands:
            output = stack.enter_context(tempfile.TemporaryFile())
            runs.append((subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT), output))
        try:
            codes = {process.wait() for process, _ in runs}
        finally:
            for _, output in runs:
                output.seek(0)
                sys.stdout.write(output.read().decode(errors="replace"))
                sys.stdout.flush()
    return max(codes - {NOTHING_COLLECTED} or codes)
