"""Runs pytest with green threads: the standard library must be patched before pytest imports it."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from computed.cmd.concurrency import ENVIRONMENT, EVENTLET, patch


def main() -> int:
    os.environ[ENVIRONMENT] = EVENTLET
    patch(EVENTLET)
    import pytest

    # Workers of pytest-xdist would be processes of their own, and not green.
    return int(pytest.main(["-p", "no:xdist", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
