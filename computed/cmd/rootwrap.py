"""Runs the few commands that may be run as root, for hosts whose sudoers names this program."""

import sys
from typing import NoReturn

from oslo_rootwrap import cmd


def main() -> NoReturn:
    """Run one command: ``computed-rootwrap CONFIG COMMAND...``."""
    sys.exit(cmd.main())


def daemon() -> NoReturn:
    """Stay and run commands as they are asked for: ``computed-rootwrap-daemon CONFIG``."""
    sys.exit(cmd.daemon())
