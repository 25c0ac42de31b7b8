"""What was shown with native threads, once more with green ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from computed.cmd.concurrency import ENVIRONMENT, EVENTLET

HERE = Path(__file__).parent
FILES = ("test_connection.py", "test_events.py", "test_host.py")
pytestmark = pytest.mark.long


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FILES)
def test_under_green_threads(name: str) -> None:
    if os.environ.get(ENVIRONMENT) == EVENTLET:
        pytest.skip("they are green already")
    words = [sys.executable, str(HERE.parents[1] / "eventlet_main.py"), "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [*words, str(HERE / name)], capture_output=True, text=True, timeout=280, cwd=HERE.parents[2]
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
