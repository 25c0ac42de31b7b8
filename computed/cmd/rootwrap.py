"""Runs the few commands that may be run as root, for hosts whose sudoers names this program.

oslo.rootwrap lets every helper process of oslo.privsep through, with any context and any configuration. Here
it is only our own ones and those of the libraries that plug ports and connect volumes, with a configuration
that nobody but root can have written: what a helper does is then known.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

from oslo_rootwrap import cmd, filters, wrapper

CONTEXTS: Final = frozenset(
    {
        "computed.privileged.files_context",
        "computed.privileged.network_context",
        "os_brick.privileged.default",
        "vif_plug_ovs.privsep.vif_plug",
    }
)
_SOCKET: Final = re.compile(r"/(tmp|run|var/tmp)/[\w./-]+")
_CONFIGURATION: Final = ("--config-file", "--config-dir")
_GIVEN_WITHOUT_BEING_ASKED: Final = "privsep-helper"


class HelperFilter(filters.CommandFilter):  # type: ignore[misc]
    """Lets `privsep-helper` through with one of CONTEXTS and root's own configuration, and nothing else."""

    def match(self, userargs: list[str] | None) -> bool:
        """Whether this command is one of them."""
        if not userargs or userargs[0] != self.exec_path or len(userargs) % 2 == 0:
            return False
        pairs = list(zip(userargs[1::2], userargs[2::2], strict=True))
        said = [name for name, _ in pairs if name not in _CONFIGURATION]
        return sorted(said) == ["--privsep_context", "--privsep_sock_path"] and all(
            _is_harmless(name, value) for name, value in pairs
        )


def _is_harmless(name: str, value: str) -> bool:
    if name == "--privsep_context":
        return value in CONTEXTS
    if name == "--privsep_sock_path":
        return bool(_SOCKET.fullmatch(value)) and ".." not in value
    return is_roots_own(Path(value))


def is_roots_own(path: Path) -> bool:
    """Whether nobody but root can change what is at `path`, itself and every directory on the way."""
    try:
        real = path.resolve(strict=True)
        found = [os.stat(each) for each in (real, *real.parents)]
    except OSError:
        return False
    return path.is_absolute() and all(_is_changed_by_root_only(each) for each in found)


def _is_changed_by_root_only(found: os.stat_result) -> bool:
    others = stat.S_IWOTH if found.st_gid == 0 else stat.S_IWOTH | stat.S_IWGRP
    return found.st_uid == 0 and not found.st_mode & others


def load_filters(directories: list[str]) -> list[Any]:
    """What the files in `directories` allow, and HelperFilter."""
    allowed = [each for each in _load(directories) if each.name != _GIVEN_WITHOUT_BEING_ASKED]
    helper = HelperFilter(_GIVEN_WITHOUT_BEING_ASKED, "root")
    helper.name = "computed-privsep-helper"
    return [*allowed, helper]


_load = wrapper.load_filters


def main() -> NoReturn:
    """Run one command: ``computed-rootwrap CONFIG COMMAND...``."""
    wrapper.load_filters = load_filters
    sys.exit(cmd.main())


def daemon() -> NoReturn:
    """Stay and run commands as they are asked for: ``computed-rootwrap-daemon CONFIG``."""
    wrapper.load_filters = load_filters
    sys.exit(cmd.daemon())
